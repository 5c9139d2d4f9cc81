"""C1: fib as textbooks write it, which fails for large n in range."""

from functools import cache
from typing import Any

import contract
from contract.wire import Reply
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C1"}


@cache
def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)


class Server(_base.Server):
    def answer(self, function: Any, body: bytes, content_type: str | None) -> Reply:
        return super().answer(fib if function is contract.fib else function, body, content_type)
