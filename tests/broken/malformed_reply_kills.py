"""C13: a reply that cannot be read ends the client's thread."""

from typing import Any

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C13"}
ALSO = {"C10"}


class Client(_base.Client):
    def _on_reply(self, _channel: Any, _method: Any, properties: Any, body: bytes) -> None:
        super()._on_reply(_channel, _method, properties, body)
        if self.stats.malformed:
            self._closed = True
