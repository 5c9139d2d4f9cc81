"""C4: calls end 0.3 s after their deadline, where a tenth of a second is promised."""

import time
from collections.abc import Iterable

from rpc_core.pending import PendingCall, PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C4"}
ALSO = {"C6"}
CAUGHT_BY = {"test_deadline_to_a_tenth_of_a_second"}


class Late(PendingCalls):
    def _expire(self, calls: Iterable[PendingCall]) -> None:
        now = time.monotonic()
        super()._expire([call for call in calls if not 0 <= now - call.deadline < 0.3])


class Client(_base.Client):
    pending_calls = Late
