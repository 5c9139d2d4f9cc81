"""C15: a server takes nothing in the place of what it computed when its connection was lost."""

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C15"}
CAUGHT_BY = {"test_prefetch_after_a_loss"}


class Server(_base.Server):
    def _consume(self) -> None:
        super()._consume()
        self._abandoned.clear()
