"""C18: a worker that loses its connection ends, as with Celery's `broker_connection_retry` off."""

from celery.exceptions import WorkerShutdown

from celery_impl.consumer import RpcConsumer
from tests.broken import _base, _celery

__path__ = _base.PARTS

LAYER = "celery_impl"
BREAKS = {"C18"}
ALSO = {"C12", "C17", "C23"}


class Consumer(RpcConsumer):
    def on_connection_error_after_connected(self, exc: Exception) -> None:
        raise WorkerShutdown(0) from exc


class Server(_celery.Server):
    consumer = Consumer
