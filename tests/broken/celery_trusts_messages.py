"""C9: Celery gets every message unchecked; it drops those that it does not understand."""

from celery_impl.consumer import RpcConsumer
from celery_impl.requests import TaskMessage
from tests.broken import _base, _celery

__path__ = _base.PARTS

LAYER = "celery_impl"
BREAKS = {"C9"}
ALSO = {"C5", "C20"}


class Trusting(RpcConsumer):
    def _on_message(self, message: TaskMessage) -> None:
        self._held.add(message)
        message.headers = {**message.headers, "message": message}
        self._handle(message)


class Server(_celery.Server):
    consumer = Trusting
