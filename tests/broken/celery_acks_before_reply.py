"""C14: a worker's acknowledgement overtakes its reply: Celery sends the two on ways of their own."""

from collections.abc import Callable
from typing import Any

from celery_impl.consumer import RpcConsumer
from tests.broken import _base, _celery

__path__ = _base.PARTS

LAYER = "celery_impl"
BREAKS = {"C14"}
CAUGHT_BY = {"test_methods_of_a_server"}


class Consumer(RpcConsumer):
    def call_soon_ack(self, p: Callable[..., object], *args: Any) -> None:
        message: Any = p

        def acknowledge_first() -> None:
            p(*args)
            self._done.append((message.__self__, lambda: None))
            self._settle()

        self.hub.call_soon(acknowledge_first)


class Server(_celery.Server):
    consumer = Consumer
