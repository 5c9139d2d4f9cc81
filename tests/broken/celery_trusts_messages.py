"""C9: Celery gets every message unchecked; it drops those that it does not understand."""

from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer
from kombu import Message

from celery_impl.consumer import RpcConsumer
from celery_impl.requests import Job
from tests.broken import _base, _celery

__path__ = _base.PARTS

LAYER = "celery_impl"
BREAKS = {"C9"}
ALSO = {"C5", "C20"}


class Trusting(RpcConsumer):
    def create_task_handler(self, *args: Any) -> Callable[[Any], None]:
        handle = Consumer.create_task_handler(self, *args)

        def on_message(message: Message) -> None:
            job = self._held[message] = Job(message.channel)
            headers: dict[str, Any] = {**message.headers, "job": job}
            message.headers = headers
            handle(message)

        return on_message


class Server(_celery.Server):
    consumer = Trusting
