"""C10: the client looks an exception's class up by the name that came off the wire."""

import builtins

from contract import RemoteError, RpcError
from rpc_core.pending import PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C10"}


class ByName(PendingCalls):
    def resolve(self, correlation_id: str | None, outcome: int | RpcError) -> None:
        call = self._calls.get(correlation_id or "")
        if call and isinstance(outcome, RemoteError):
            error = getattr(builtins, outcome.exception_type, Exception)(outcome.message)
            self._calls.pop(call.correlation_id)
            call.future.set_exception(error)
        else:
            super().resolve(correlation_id, outcome)


class Client(_base.Client):
    pending_calls = ByName
