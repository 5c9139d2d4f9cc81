"""C16: the function runs in the event loop's thread, which answers no heartbeat meanwhile."""

from typing import Any

from contract.programs import ServerOptions
from contract.workers import Workers
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C16"}
ALSO = {"C2", "C5", "C15", "C17"}


class Inline(Workers):
    def put(self, *arguments: Any) -> None:
        self._job(*arguments)


class Server(_base.Server):
    def __init__(self, options: ServerOptions) -> None:
        super().__init__(options)
        self._workers = Inline(self._compute, 0)
