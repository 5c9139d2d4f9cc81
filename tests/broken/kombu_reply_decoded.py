"""C13: kombu decodes bodies for `callbacks`; a reply that it cannot decode costs the connection."""

from kombu import Consumer, Producer

from kombu_impl.rpc_client import FibonacciRpcClient, KombuLink
from tests.broken import _base

__path__ = _base.PARTS

LAYER = "kombu_impl"
BREAKS = {"C13"}
ALSO = {"C20"}


class Link(KombuLink):
    def consume(self) -> None:
        Consumer(
            self.channel,
            [self._callback_queue],
            callbacks=[lambda _body, message: self._on_reply(message)],
            no_ack=True,
            auto_declare=False,
        ).consume()
        self._producer = Producer(self.channel, auto_declare=False)


class Client(FibonacciRpcClient):
    link = Link
