"""C2: a reply is taken for the oldest call's, whatever its id."""

from contract import RpcError
from rpc_core.pending import PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C2"}
ALSO = {"C3", "C4", "C5", "C7", "C9", "C11", "C13", "C15", "C17"}


class OldestFirst(PendingCalls):
    def resolve(self, correlation_id: str | None, outcome: int | RpcError) -> None:
        super().resolve(next(iter(self._calls), correlation_id), outcome)


class Client(_base.Client):
    pending_calls = OldestFirst
