"""C9: as in kombu's example, a body that cannot be read ends the server, and then the next one."""

import json
from typing import Any

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C9"}
ALSO = {"C20"}


class Server(_base.Server):
    def _on_request(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        json.loads(body)
        super()._on_request(channel, method, properties, body)
