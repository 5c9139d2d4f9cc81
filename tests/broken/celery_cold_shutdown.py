"""C17: on SIGTERM the worker does Celery's cold shutdown, and does not reply to what it computes."""

from celery.exceptions import WorkerTerminate

from celery_impl.consumer import RpcConsumer
from tests.broken import _base, _celery

__path__ = _base.PARTS

LAYER = "celery_impl"
BREAKS = {"C17"}


class Consumer(RpcConsumer):
    def _stop(self) -> None:
        raise WorkerTerminate(0)


class Server(_celery.Server):
    consumer = Consumer
