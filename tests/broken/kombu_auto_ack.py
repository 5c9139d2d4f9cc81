"""C14: with kombu's `no_ack` the broker forgets requests when it delivers them; `ack()` does nothing."""

from kombu import Consumer

from kombu_impl.rpc_server import FibonacciRpcServer, KombuLink
from tests.broken import _base

__path__ = _base.PARTS

LAYER = "kombu_impl"
BREAKS = {"C14"}
ALSO = {"C11", "C12", "C15", "C17", "C19", "C23"}
CAUGHT_BY = {"test_request_is_held_until_it_is_answered"}


class Link(KombuLink):
    def consume(self, prefetch: int) -> None:
        queues = [self._request_queue]
        consumer = Consumer(self.channel, queues, no_ack=True, on_message=self._on_request)
        consumer.consume()
        self._consumers.append(consumer)


class Server(FibonacciRpcServer):
    link = Link
