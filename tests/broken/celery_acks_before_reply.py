"""C14: a worker's acknowledgement overtakes its reply: Celery sends the two on ways of their own."""

from celery_impl.consumer import RpcConsumer
from tests.broken import _base, _celery

__path__ = _base.PARTS

LAYER = "celery_impl"
BREAKS = {"C14"}
CAUGHT_BY = {"test_methods_of_a_server"}


class Consumer(RpcConsumer):
    def perform_pending_operations(self) -> None:
        for message in self._done:
            message.ack()
            message.ack = lambda: None  # type: ignore[method-assign,assignment,misc]
        super().perform_pending_operations()


class Server(_celery.Server):
    consumer = Consumer
