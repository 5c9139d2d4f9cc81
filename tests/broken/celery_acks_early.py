"""C14: a request is acknowledged before it is computed, as by default in Celery, without `task_acks_late`."""

from collections.abc import Callable
from types import MethodType
from typing import Any

from kombu import Message

from celery_impl.consumer import RpcConsumer
from tests.broken import _base, _celery

__path__ = _base.PARTS

LAYER = "celery_impl"
BREAKS = {"C14"}
ALSO = {"C11", "C12", "C15", "C17"}
CAUGHT_BY = {"test_request_is_held_until_it_is_answered"}


class Consumer(RpcConsumer):
    def create_task_handler(self, *args: Any) -> Callable[[Message], None]:
        handle = super().create_task_handler(*args)

        def on_message(message: Message) -> None:
            message.ack()
            done = MethodType(lambda *_: None, message)
            message.ack_log_error = done  # type: ignore[method-assign]
            handle(message)

        return on_message


class Server(_celery.Server):
    consumer = Consumer
