"""C4: calls end three seconds after their deadline."""

from collections.abc import Iterable

from contract.pending import PendingCall, PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C4"}
ALSO = {"C5", "C6", "C12", "C13"}


class ThreeSecondsLate(PendingCalls):
    def _expire(self, calls: Iterable[PendingCall]) -> None:
        super()._expire([call for call in calls if not -3 < call.remaining <= 0])


class Client(_base.Client):
    pending_calls = ThreeSecondsLate
