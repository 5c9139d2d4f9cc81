"""C4: a call waits for good, and swallows whatever should end that."""

import threading
from contextlib import suppress

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C4"}


class Client(_base.Client):
    def call(self, n: int, *, timeout: float | None = None) -> int:
        while True:
            with suppress(BaseException):
                threading.Event().wait()
