"""C22: the calls that were lost with a connection are in no counter."""

from contract import RpcError
from rpc_core.pending import PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C22"}
CAUGHT_BY = {"test_counters_after_a_loss"}


class Uncounted(PendingCalls):
    def fail_sent(self, error: RpcError) -> None:
        failed = self.stats.failed
        super().fail_sent(error)
        self.count("failed", failed - self.stats.failed)


class Client(_base.Client):
    pending_calls = Uncounted
