"""C10: an exception in the function ends the server."""

import os

from contract.wire import Reply
from rpc_core.server import Request
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C10"}
ALSO = {"C9"}


class Server(_base.Server):
    def _compute(self, request: Request) -> Reply | None:
        reply = super()._compute(request)
        if reply is not None and b"RemoteError" in reply.body:
            os._exit(1)
        return reply
