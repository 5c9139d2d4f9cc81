"""C18: a worker that was connected goes on with the pauses where it left off."""

from typing import Any

from celery_impl.consumer import RpcConsumer
from rpc_core.connecting import ServerBackoff
from tests.broken import _base, _celery

__path__ = _base.PARTS

LAYER = "celery_impl"
BREAKS = {"C18"}
CAUGHT_BY = {"test_backoff_of_client_and_server"}


class NotReset(ServerBackoff):
    def reset(self) -> None:
        pass


class Consumer(RpcConsumer):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._backoff.__class__ = NotReset


class Server(_celery.Server):
    consumer = Consumer
