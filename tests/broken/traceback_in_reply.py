"""C10: the server's traceback is sent to the caller."""

import traceback
from typing import Any

from contract.wire import Reply
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C10"}


class Server(_base.Server):
    def answer(self, function: Any, body: bytes, content_type: str | None) -> Reply:
        def talkative(n: int) -> int:
            try:
                return int(function(n))
            except Exception as error:
                raise type(error)(traceback.format_exc()) from None

        return super().answer(talkative, body, content_type)
