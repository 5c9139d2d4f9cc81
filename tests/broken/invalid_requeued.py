"""C9: an invalid request goes back to the queue, and comes again, for ever."""

from contract import InvalidRequest
from contract.wire import decode_request
from rpc_core.server import Request
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C9"}
ALSO = {"C20"}


class Server(_base.Server):
    def _on_request(self, request: Request) -> None:
        try:
            decode_request(request.body, request.content_type)
        except InvalidRequest:
            assert self._link is not None
            self._link.give_back(request)
        else:
            super()._on_request(request)
