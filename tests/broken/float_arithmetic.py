"""C1: the server computes large numbers with floats."""

from typing import Any

from contract.wire import Reply
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C1"}
ALSO = {"C2", "C3", "C12", "C13", "C17"}


class Server(_base.Server):
    def answer(self, function: Any, body: bytes, content_type: str | None) -> Reply:
        def rounded(n: int) -> int:
            return int(float(function(n)))

        return super().answer(rounded, body, content_type)
