"""C6: that nobody serves is not told from a timeout."""

from rpc_core.pending import PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C6"}


class AlwaysSomebody(PendingCalls):
    def on_consumer_count(self, count: int) -> None:
        super().on_consumer_count(1)


class Client(_base.Client):
    pending_calls = AlwaysSomebody
