"""C5: requests are published without an expiration, as kombu's own example does."""

from contract.wire import CONTENT_TYPE
from kombu_impl.rpc_client import FibonacciRpcClient, KombuLink
from rpc_core.pending import PendingCall
from tests.broken import _base

__path__ = _base.PARTS

LAYER = "kombu_impl"
BREAKS = {"C5"}
ALSO = {"C11"}


class Link(KombuLink):
    def publish(self, call: PendingCall) -> None:
        self._producer.publish(
            call.body,
            routing_key=self._options.queue,
            content_type=CONTENT_TYPE,
            content_encoding="utf-8",
            reply_to=self._callback_queue.name,
            correlation_id=call.correlation_id,
        )


class Client(FibonacciRpcClient):
    link = Link
