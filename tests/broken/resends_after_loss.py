"""C12: calls that may have run are sent again after the connection was lost."""

from contract import RpcError
from rpc_core.pending import PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C12"}


class Resending(PendingCalls):
    def fail_sent(self, error: RpcError) -> None:
        for call in self._snapshot():
            call.sent = False


class Client(_base.Client):
    pending_calls = Resending
