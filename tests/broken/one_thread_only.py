"""C3: only the thread that made the client may use it, as with a sqlite3 connection."""

import threading
from typing import Any

from rpc_core.pending import PendingCall
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C3"}


class Client(_base.Client):
    def __init__(self, url: str | None = None, **options: Any) -> None:
        super().__init__(url, **options)
        self._owner = threading.get_ident()

    def _enter(self, n: int, timeout: float | None) -> PendingCall:
        if threading.get_ident() != self._owner:
            raise RuntimeError("this client belongs to another thread")
        return super()._enter(n, timeout)
