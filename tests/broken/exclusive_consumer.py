"""C19: the server wants the queue for itself, so a second one is refused."""

from typing import Any

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C19"}
ALSO = {"C11", "C12", "C15", "C17", "C23"}


class Server(_base.Server):
    def _on_prefetch_set(self, _frame: Any) -> None:
        self._consumer_tag = self._channel.basic_consume(
            self._options.queue, self._on_request, exclusive=True, callback=self._on_consuming
        )
