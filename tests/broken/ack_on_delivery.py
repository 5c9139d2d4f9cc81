"""C11, C14: requests are acknowledged when they arrive, so a server that dies takes them along."""

from typing import Any

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C11", "C14"}
ALSO = {"C12", "C15", "C17"}
CAUGHT_BY = {"test_request_is_held_until_it_is_answered"}


class Acknowledged(_base.Channel):
    def basic_ack(self, tag: int) -> None:
        pass


class Server(_base.Server):
    def _on_request(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        channel.basic_ack(method.delivery_tag)
        super()._on_request(Acknowledged(channel), method, properties, body)

    def _compute(self, *arguments: Any) -> None:
        self._keep_up()  # which sends the acknowledgement
        super()._compute(*arguments)
