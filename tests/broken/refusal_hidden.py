"""C20: a server goes on to the next address after a refusal, and takes the last one's outage for the answer."""

from collections.abc import Callable, Iterable
from typing import TypeVar
from unittest.mock import patch

from rpc_core import server as machinery
from rpc_core.connecting import open_any
from rpc_core.refusals import Failure
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C20"}
CAUGHT_BY = {"test_server_at_a_refusing_and_a_dead_broker"}

Opened = TypeVar("Opened")


def open_some(
    urls: Iterable[str],
    open_one: Callable[[str], Opened],
    failure: Callable[[BaseException], Failure],
    cancelled: Callable[[], bool],
) -> Opened:
    return open_any(urls, open_one, lambda error: Failure(OSError()), cancelled)


class Server(_base.Server):
    def run(self) -> int:
        with patch.object(machinery, "open_any", open_some):
            return super().run()
