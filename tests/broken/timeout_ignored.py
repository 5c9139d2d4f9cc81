"""C4: a call's own timeout is ignored."""

from rpc_core.pending import PendingCall
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C4"}
ALSO = {"C5", "C6", "C11", "C12", "C13"}


class Client(_base.Client):
    def _enter(self, n: int, timeout: float | None) -> PendingCall:
        return super()._enter(n, None)
