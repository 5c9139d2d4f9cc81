"""C12: the client connects once, and never again."""

from rpc_core.client import Link
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C12"}
ALSO = {"C18", "C21", "C23"}


class Client(_base.Client):
    _was_connected = False

    def _open(self, url: str) -> Link:
        if self._was_connected:
            self._closing.wait()
            raise ConnectionAbortedError("one connection has to do")
        link = super()._open(url)
        self._was_connected = True
        return link
