"""C6: with fail_fast a call that takes longer than a second fails, though a server is at it."""

from typing import Any

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C6"}


class Client(_base.Client):
    def __init__(self, url: str | None = None, **options: Any) -> None:
        self._hasty = options.get("fail_fast", False)
        super().__init__(url, **options)

    def _request_consumer_count(self) -> None:
        if self._hasty:
            self._pending.on_consumer_count(0)
        else:
            super()._request_consumer_count()
