"""C2: as kombu's example does, the client declares and consumes a callback queue for each call."""

from rpc_core.pending import PendingCall
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C2"}
CAUGHT_BY = {"test_one_callback_queue"}


class Link(_base.ClientLink):
    def publish(self, call: PendingCall) -> None:
        self.declare()
        self.consume()
        super().publish(call)


class Client(_base.Client):
    link = Link
