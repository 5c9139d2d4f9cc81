"""C1: fib as textbooks write it, which fails for large n in range."""

from dataclasses import replace
from functools import cache

import contract
from rpc_core.programs import ServerOptions
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C1"}


@cache
def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)


class Server(_base.Server):
    def __init__(self, options: ServerOptions) -> None:
        textbook = options.function is contract.fib
        super().__init__(replace(options, function=fib) if textbook else options)
