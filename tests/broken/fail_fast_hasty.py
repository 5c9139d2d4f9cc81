"""C6: with fail_fast a call that takes longer than a second fails, though a server is at it."""

from typing import Any

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C6"}


class Client(_base.Client):
    def __init__(self, url: str | None = None, **options: Any) -> None:
        super().__init__(url, **options)
        self._hasty = options.get("fail_fast", False)

    def _count_consumers(self) -> None:
        if self._hasty:
            self._pending.consumers_counted(0)
        else:
            super()._count_consumers()
