"""C10: a function's own exception that is called InvalidRequest is taken for the server's verdict."""

from typing import Any

from kombu import Message

from celery_impl import results
from celery_impl.rpc_client import CeleryLink, FibonacciRpcClient
from contract import InvalidRequest
from tests.broken import _base

__path__ = _base.PARTS

LAYER = "celery_impl"
BREAKS = {"C10"}
CAUGHT_BY = {"test_own_error_named_like_ours"}


class ResultConsumer(results.ResultConsumer):
    def on_state_change(self, meta: Any, message: Message) -> None:
        if meta["status"] == "FAILURE" and meta["result"]["exc_type"] == "InvalidRequest":
            meta["result"]["exc_module"] = InvalidRequest.__module__
        super().on_state_change(meta, message)


class RpcBackend(results.RpcBackend):
    ResultConsumer = ResultConsumer


class Link(CeleryLink):
    def consume(self) -> None:
        self._app.backend_cls = f"{__name__}:RpcBackend"
        super().consume()


class Client(FibonacciRpcClient):
    link = Link
