"""C8: close() leaves pending calls to their deadlines, which nobody watches any more."""

from contract import RpcError
from rpc_core.pending import PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C8"}
ALSO = {"C20"}


class Forgetful(PendingCalls):
    def fail_all(self, error: RpcError) -> None:
        pass


class Client(_base.Client):
    pending_calls = Forgetful
