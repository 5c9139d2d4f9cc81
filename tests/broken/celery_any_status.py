"""C13: a reply of any status that has an integer in it is taken for a result."""

from typing import Any

from kombu import Message

from celery_impl import results
from celery_impl.rpc_client import CeleryLink, FibonacciRpcClient
from tests.broken import _base

__path__ = _base.PARTS

LAYER = "celery_impl"
BREAKS = {"C13"}
CAUGHT_BY = {"test_counters_of_replies"}


class ResultConsumer(results.ResultConsumer):
    def on_state_change(self, meta: Any, message: Message) -> None:
        if isinstance(meta, dict) and isinstance(meta.get("result"), int):
            meta["status"] = "SUCCESS"
        super().on_state_change(meta, message)


class RpcBackend(results.RpcBackend):
    ResultConsumer = ResultConsumer


class Link(CeleryLink):
    def consume(self) -> None:
        self._app.backend_cls = f"{__name__}:RpcBackend"
        super().consume()


class Client(FibonacciRpcClient):
    link = Link
