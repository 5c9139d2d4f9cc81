"""C6: with fail_fast and no broker a call waits for its deadline."""

from rpc_core.pending import PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C6"}
CAUGHT_BY = {"test_fail_fast_without_a_broker"}


class Silent(PendingCalls):
    def on_no_connection(self) -> None:
        self._question._outstanding = False


class Client(_base.Client):
    pending_calls = Silent
