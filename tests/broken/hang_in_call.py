"""C4: a call waits for good."""

import threading

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C4"}


class Client(_base.Client):
    def call(self, n: int, *, timeout: float | None = None) -> int:
        threading.Event().wait()
        return super().call(n, timeout=timeout)
