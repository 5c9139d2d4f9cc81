"""C11, C14: requests are acknowledged when they arrive, so a server that dies takes them along."""

from unittest.mock import patch

from pika.channel import Channel
from pika.spec import Basic, BasicProperties

from contract.wire import Reply
from rpc_core.server import Request
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C11", "C14"}
ALSO = {"C12", "C15", "C17"}
CAUGHT_BY = {"test_request_is_held_until_it_is_answered", "test_server_killed_while_computing"}


class Hasty(_base.ServerLink):
    def _on_request(
        self, channel: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes
    ) -> None:
        channel.basic_ack(method.delivery_tag or 0)
        super()._on_request(channel, method, properties, body)

    def reply(self, request: Request, reply: Reply | None) -> None:
        with patch.object(self.channel, "basic_ack"):
            super().reply(request, reply)


class Server(_base.Server):
    link = Hasty

    def _compute(self, request: Request) -> Reply | None:
        self._service_connection()  # which sends the acknowledgement
        return super()._compute(request)
