"""C2: a call ends the process."""

import os

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C2"}


class Client(_base.Client):
    def call(self, n: int, *, timeout: float | None = None) -> int:
        os._exit(3)
