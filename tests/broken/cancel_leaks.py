"""C7: a cancelled call keeps its place in the table."""

from concurrent.futures import Future

from rpc_core.pending import PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C7"}


class Unmoved(PendingCalls):
    def _on_done(self, correlation_id: str, future: "Future[int]") -> None:
        pass


class Client(_base.Client):
    pending_calls = Unmoved
