"""C18: the server ends when it loses its connection."""

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C18"}
ALSO = {"C12", "C17", "C23"}


class Server(_base.Server):
    def _discard_link(self) -> None:
        super()._discard_link()
        self._stopping = True
