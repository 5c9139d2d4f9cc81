"""C9: an invalid request goes back to the queue, and comes again, for ever."""

from typing import Any

from contract import InvalidRequest
from contract.wire import decode_request
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C9"}
ALSO = {"C20"}


class Server(_base.Server):
    def _on_request(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        try:
            decode_request(body, properties.content_type)
        except InvalidRequest:
            channel.basic_nack(method.delivery_tag, requeue=True)
        else:
            super()._on_request(channel, method, properties, body)
