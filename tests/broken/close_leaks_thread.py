"""C8: close() leaves the thread, and with it the connection."""

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C8"}


class Client(_base.Client):
    def close(self) -> None:
        self._pending.close()
