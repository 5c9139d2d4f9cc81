"""C15: the server takes all requests there are, whatever its prefetch."""

from typing import Any

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C15"}
ALSO = {"C19", "C23"}


class Server(_base.Server):
    def _on_queue_declared(self, _frame: Any) -> None:
        self._channel.basic_qos(prefetch_count=0, callback=self._on_prefetch_set)
