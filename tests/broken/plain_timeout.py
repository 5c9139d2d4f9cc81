"""C6: that nobody serves is not told from a timeout."""

from contract.pending import PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C6"}


class AlwaysSomebody(PendingCalls):
    def consumers_counted(self, count: int | None) -> None:
        super().consumers_counted(1)


class Client(_base.Client):
    pending_calls = AlwaysSomebody
