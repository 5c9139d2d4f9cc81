"""C10: the server's traceback is sent to the caller."""

import traceback
from dataclasses import replace

from rpc_core.programs import ServerOptions
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C10"}


class Server(_base.Server):
    def __init__(self, options: ServerOptions) -> None:
        def talkative(n: int) -> int:
            try:
                return int(options.function(n))
            except Exception as error:
                raise type(error)(traceback.format_exc()) from None

        super().__init__(replace(options, function=talkative))
