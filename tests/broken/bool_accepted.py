"""C9: True passes for 1."""

from contract.wire import Reply
from rpc_core.server import Request
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C9"}

NUMBERS = {b"true": b"1", b"false": b"0"}


class Server(_base.Server):
    def _compute(self, request: Request) -> Reply | None:
        request.body = NUMBERS.get(request.body, request.body)
        return super()._compute(request)
