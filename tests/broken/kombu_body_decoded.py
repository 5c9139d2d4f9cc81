"""C9: kombu decodes bodies for `callbacks`; what it cannot decode costs the connection, and comes again."""

from kombu import Consumer

from kombu_impl.rpc_server import FibonacciRpcServer, KombuLink
from tests.broken import _base

__path__ = _base.PARTS

LAYER = "kombu_impl"
BREAKS = {"C9"}
ALSO = {"C20"}


class Link(KombuLink):
    def consume(self, prefetch: int) -> None:
        consumer = Consumer(
            self.channel,
            [self._request_queue],
            callbacks=[lambda _body, message: self._on_request(message)],
            prefetch_count=prefetch,
        )
        consumer.consume()
        self._consumers.append(consumer)


class Server(FibonacciRpcServer):
    link = Link
