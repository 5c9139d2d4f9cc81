"""C6: with fail_fast nobody looks a second time: that servers left after the first look is not noticed."""

from typing import Any

from rpc_core.limits import ASK_BEFORE_DEADLINE
from rpc_core.pending import PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C6"}
CAUGHT_BY = {"test_server_that_leaves_after_the_first_look"}


class Once(PendingCalls):
    def on_consumer_count(self, count: int) -> None:
        asking: Any = self._asking()
        super().on_consumer_count(count)
        for call in asking:
            if call.next_check == call.deadline - ASK_BEFORE_DEADLINE:
                call.next_check = call.deadline


class Client(_base.Client):
    pending_calls = Once
