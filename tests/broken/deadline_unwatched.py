"""C4: a deadline ends a call only while somebody waits in `call`; a future of `submit` goes on for ever."""

from collections.abc import Iterable
from concurrent.futures import Future
from weakref import WeakSet

from rpc_core.pending import PendingCall, PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C4"}
ALSO = {"C5", "C6", "C11", "C12"}

waited_for: "WeakSet[Future[int]]" = WeakSet()


class Unwatched(PendingCalls):
    def _expire(self, calls: Iterable[PendingCall]) -> None:
        super()._expire([call for call in calls if call.future in waited_for])


class Client(_base.Client):
    pending_calls = Unwatched

    def call(self, n: int, *, timeout: float | None = None) -> int:
        future = self.submit(n, timeout=timeout)
        waited_for.add(future)
        return future.result()
