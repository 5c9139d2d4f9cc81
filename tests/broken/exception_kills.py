"""C10: an exception in the function ends the server."""

import os
from typing import Any

from contract.wire import Reply
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C10"}
ALSO = {"C9"}


class Server(_base.Server):
    def answer(self, function: Any, body: bytes, content_type: str | None) -> Reply:
        reply = super().answer(function, body, content_type)
        if b"RemoteError" in reply.body:
            os._exit(1)
        return reply
