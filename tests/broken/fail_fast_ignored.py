"""C6: fail_fast changes nothing."""

from typing import Any

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C6"}


class Client(_base.Client):
    def __init__(self, url: str | None = None, **options: Any) -> None:
        super().__init__(url, **{**options, "fail_fast": False})
