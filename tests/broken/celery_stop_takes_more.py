"""C17: a worker that was told to stop goes on taking requests: they lie there until its job ends."""

from celery_impl.consumer import RpcConsumer
from tests.broken import _base, _celery

__path__ = _base.PARTS

LAYER = "celery_impl"
BREAKS = {"C17"}
CAUGHT_BY = {"test_stopping_server_on_the_wire"}


class Consumer(RpcConsumer):
    def _stop(self) -> None:
        self._link.channel.basic_cancel = lambda _: None  # type: ignore[method-assign, assignment, misc]
        super()._stop()


class Server(_celery.Server):
    consumer = Consumer
