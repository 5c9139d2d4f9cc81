"""C12: building a client waits for its connection, up to a second."""

from contextlib import suppress
from typing import Any

from tests.broken import _base
from tests.waiting import wait_until

__path__ = _base.PARTS

BREAKS = {"C12"}
CAUGHT_BY = {"test_building_a_client_does_not_wait"}


class Client(_base.Client):
    def __init__(self, url: str | None = None, **options: Any) -> None:
        super().__init__(url, **options)
        with suppress(AssertionError):
            wait_until(lambda: self._link is not None, "the connection", 1)
