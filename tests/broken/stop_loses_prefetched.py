"""C17: on SIGTERM the server acknowledges what it prefetched, and drops it."""

from typing import Any

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C17"}


class Server(_base.Server):
    def _on_cancelled(self, _frame: Any) -> None:
        for _, tag, *_ in self._workers.withdraw():
            self._channel.basic_ack(tag)
            self._held.remove(tag)
        self._close_when_idle()
