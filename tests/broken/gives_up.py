"""C18: the server ends when it loses its connection."""

from typing import Any

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C18"}
ALSO = {"C12", "C17", "C23"}


class Server(_base.Server):
    def _on_connection_lost(self, _connection: Any, error: Exception) -> None:
        self._stopped = True
