"""C12: a client's pauses between attempts grow without end."""

from collections.abc import Callable
from typing import Any

from rpc_core.connecting import Backoff
from rpc_core.refusals import Failure
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C12"}
CAUGHT_BY = {"test_backoff_of_client_and_server"}


class Growing(Backoff):
    def wait(self, failure: Failure, wait: Callable[[float], bool]) -> bool:
        before = self._next
        answer = super().wait(failure, wait)
        self._next = 2 * before
        return answer


class Client(_base.Client):
    def __init__(self, url: str | None = None, **options: Any) -> None:
        super().__init__(url, **options)
        self._backoff = Growing(self.log, self._urls)
