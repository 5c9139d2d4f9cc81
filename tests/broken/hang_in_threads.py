"""C3: a call waits for good in any thread but the main one."""

import threading

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C3"}


class Client(_base.Client):
    def call(self, n: int, *, timeout: float | None = None) -> int:
        if threading.current_thread() is not threading.main_thread():
            threading.Event().wait()
        return super().call(n, timeout=timeout)
