"""C12: the client connects once, and never again."""

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C12"}
ALSO = {"C18", "C21", "C23"}


class Client(_base.Client):
    _tried = False

    def _connect(self) -> None:
        if not self._tried:
            self._tried = True
            super()._connect()
