"""C13: a reply whose call has ended resolves the next one."""

from contract import RpcError
from rpc_core.pending import PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C13"}
ALSO = {"C4", "C7", "C12"}


class Generous(PendingCalls):
    def resolve(self, correlation_id: str | None, outcome: int | RpcError) -> None:
        if correlation_id not in self._calls:
            correlation_id = next(iter(self._calls), correlation_id)
        super().resolve(correlation_id, outcome)


class Client(_base.Client):
    pending_calls = Generous
