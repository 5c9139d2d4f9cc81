"""C12: of several addresses the third is never tried."""

from typing import Any

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C12"}
ALSO = {"C20"}
CAUGHT_BY = {"test_third_address"}


class Client(_base.Client):
    def __init__(self, url: str | None = None, **options: Any) -> None:
        super().__init__(";".join((url or "").split(";")[:2]), **options)
