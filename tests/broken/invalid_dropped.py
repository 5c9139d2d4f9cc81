"""C9: an invalid request is dropped without an answer."""

from contract.wire import Reply
from rpc_core.server import Request
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C9"}
ALSO = {"C20"}


class Server(_base.Server):
    def _compute(self, request: Request) -> Reply | None:
        reply = super()._compute(request)
        return None if reply is not None and b"InvalidRequest" in reply.body else reply
