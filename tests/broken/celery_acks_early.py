"""C14: a request is acknowledged before it is computed, as by default in Celery, without `task_acks_late`."""

from celery_impl.consumer import RpcConsumer
from celery_impl.requests import TaskMessage
from tests.broken import _base, _celery

__path__ = _base.PARTS

LAYER = "celery_impl"
BREAKS = {"C14"}
ALSO = {"C11", "C12", "C15", "C17"}
CAUGHT_BY = {"test_request_is_held_until_it_is_answered"}


class Consumer(RpcConsumer):
    def _on_message(self, message: TaskMessage) -> None:
        message.ack()
        message.ack = lambda: None  # type: ignore[method-assign,assignment,misc]
        super()._on_message(message)


class Server(_celery.Server):
    consumer = Consumer
