"""C13: a reply to a call that has ended is counted as one to a call that never was."""

from rpc_core.pending import PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C13"}
ALSO = {"C7", "C22"}
CAUGHT_BY = {"test_counters_of_replies"}


class Forgetful(PendingCalls):
    def _was_ours(self, id_: object) -> bool:
        return False


class Client(_base.Client):
    pending_calls = Forgetful
