"""C23: the client is not told which type of queue it was asked for."""

from typing import Any

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C23"}


class Client(_base.Client):
    def __init__(self, url: str | None = None, **options: Any) -> None:
        super().__init__(url, **{**options, "queue_type": None})
