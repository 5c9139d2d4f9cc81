"""C22: the calls that close() fails are in no counter."""

from rpc_core.pending import PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C22"}
CAUGHT_BY = {"test_counters_after_a_close"}


class Uncounted(PendingCalls):
    def close(self) -> None:
        failed = self.stats.failed
        super().close()
        self.count("failed", failed - self.stats.failed)


class Client(_base.Client):
    pending_calls = Uncounted
