"""C9: kombu decompresses a body whose header says so, to whatever size."""

from kombu.transport import pyamqp

from kombu_impl.rpc_server import FibonacciRpcServer, KombuLink
from tests.broken import _base

__path__ = _base.PARTS

LAYER = "kombu_impl"
BREAKS = {"C9"}
ALSO = {"C13"}


class Link(KombuLink):
    def declare(self) -> None:
        super().declare()
        self.channel.Message = pyamqp.Message


class Server(FibonacciRpcServer):
    link = Link
