"""C9: True passes for 1."""

from typing import Any

from contract.wire import Reply
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C9"}


class Server(_base.Server):
    def answer(self, function: Any, body: bytes, content_type: str | None) -> Reply:
        numbers = {b"true": b"1", b"false": b"0"}
        return super().answer(function, numbers.get(body, body), content_type)
