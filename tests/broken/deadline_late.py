"""C4: calls end three seconds after their deadline."""

import time
from collections.abc import Iterable

from rpc_core.pending import PendingCall, PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C4"}
ALSO = {"C5", "C6", "C12", "C13"}


class ThreeSecondsLate(PendingCalls):
    def _expire(self, calls: Iterable[PendingCall]) -> None:
        now = time.monotonic()
        super()._expire([call for call in calls if not 0 <= now - call.deadline < 3])


class Client(_base.Client):
    pending_calls = ThreeSecondsLate
