"""C17: on SIGTERM the server acknowledges what it prefetched, and drops it."""

from typing import Any

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C17"}


class Server(_base.Server):
    def _on_cancelled(self, _frame: Any) -> None:
        for tag in [tag for tag, held in self._held.items() if held.cancel()]:
            self._channel.basic_ack(tag)
            del self._held[tag]
        self._close_when_idle()
