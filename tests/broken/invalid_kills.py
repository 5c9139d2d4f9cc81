"""C9: as in kombu's example, a body that cannot be read ends the server, and then the next one."""

import json
import os

from rpc_core.server import Request
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C9"}
ALSO = {"C20"}


class Server(_base.Server):
    def _on_request(self, request: Request) -> None:
        try:
            json.loads(request.body)
        except Exception:
            os._exit(1)
        super()._on_request(request)
