"""C4: a call's own timeout is ignored."""

from concurrent.futures import Future

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C4"}
ALSO = {"C5", "C6", "C11", "C12", "C13"}


class Client(_base.Client):
    def _send(self, n: int, timeout: float | None, **options: bool) -> "Future[int]":
        return super()._send(n, None, **options)
