"""C14: a request is acknowledged and then answered."""

from contract.wire import Reply
from rpc_core.server import Request
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C14"}
CAUGHT_BY = {"test_methods_of_a_server"}


class Link(_base.ServerLink):
    def reply(self, request: Request, reply: Reply | None) -> None:
        acknowledge = self.channel.basic_ack
        acknowledge(request.delivery)
        self.channel.basic_ack = lambda *_: None  # type: ignore[method-assign]
        super().reply(request, reply)
        self.channel.basic_ack = acknowledge  # type: ignore[method-assign]


class Server(_base.Server):
    link = Link
