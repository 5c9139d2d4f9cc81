"""C17: on SIGTERM the server acknowledges what it prefetched, and drops it."""

from rpc_core.server import Request
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C17"}


class Link(_base.ServerLink):
    def give_back(self, request: Request) -> None:
        self.channel.basic_ack(request.delivery)


class Server(_base.Server):
    link = Link
