"""C10: of an error's text only the beginning reaches the caller."""

import json

from contract.wire import Reply
from rpc_core.server import Request
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C10"}
CAUGHT_BY = {"test_long_error_text"}


class Server(_base.Server):
    def _compute(self, request: Request) -> Reply | None:
        reply = super()._compute(request)
        if reply is None or reply.type is None:
            return reply
        content = json.loads(reply.body)
        content["message"] = content["message"][:80]
        return Reply(json.dumps(content).encode(), reply.type)
