"""C18: the server ends when it loses its connection."""

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C18"}
ALSO = {"C12", "C17", "C23"}


class Server(_base.Server):
    def _forget_link(self) -> None:
        super()._forget_link()
        self._stopping = True
