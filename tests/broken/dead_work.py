"""C5: the server computes what expired while it held it."""

from contract.wire import Reply
from rpc_core.server import Request
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C5"}


class Server(_base.Server):
    def _compute(self, request: Request) -> Reply | None:
        request.expiration = None
        return super()._compute(request)
