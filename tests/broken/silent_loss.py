"""C12: calls that were in flight when the connection was lost wait for their deadline."""

from contract import RpcError
from rpc_core.pending import PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C12"}


class Silent(PendingCalls):
    def fail_sent(self, error: RpcError) -> None:
        pass


class Client(_base.Client):
    pending_calls = Silent
