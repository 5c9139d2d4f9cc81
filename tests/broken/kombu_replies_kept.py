"""C21: with kombu's default a consumer acknowledges; without `no_ack` and `ack()` the broker keeps all replies."""

from kombu import Consumer, Producer

from kombu_impl.rpc_client import FibonacciRpcClient, KombuLink
from tests.broken import _base

__path__ = _base.PARTS

LAYER = "kombu_impl"
BREAKS = {"C21"}
CAUGHT_BY = {"test_replies_are_acknowledged"}


class Link(KombuLink):
    def consume(self) -> None:
        consumer = Consumer(
            self.channel,
            [self._callback_queue],
            on_message=self._on_reply,
            no_ack=False,
            auto_declare=False,
        )
        consumer.consume()
        self._producer = Producer(self.channel, auto_declare=False, on_return=self._on_returned)


class Client(FibonacciRpcClient):
    link = Link
