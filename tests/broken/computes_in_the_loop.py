"""C16: the function runs in the event loop's thread, which answers no heartbeat meanwhile."""

from concurrent.futures import Executor, Future
from typing import Any

from contract.programs import ServerOptions
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C16"}
ALSO = {"C2", "C5", "C15", "C17"}


class Inline(Executor):
    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        done.set_result(function(*args, **kwargs))
        return done


class Server(_base.Server):
    def __init__(self, options: ServerOptions) -> None:
        super().__init__(options)
        self._pool: Any = Inline()
