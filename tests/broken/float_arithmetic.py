"""C1: the server computes large numbers with floats."""

from dataclasses import replace

from rpc_core.programs import ServerOptions
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C1"}
ALSO = {"C2", "C3", "C12", "C13", "C17"}


class Server(_base.Server):
    def __init__(self, options: ServerOptions) -> None:
        def rounded(n: int) -> int:
            return int(float(options.function(n)))

        super().__init__(replace(options, function=rounded))
