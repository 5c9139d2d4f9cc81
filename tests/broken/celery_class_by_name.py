"""C10: as Celery's own client does, this one looks an exception's class up by the name in the reply."""

from typing import Any

from kombu import Message

from celery_impl import results
from celery_impl.rpc_client import CeleryLink, FibonacciRpcClient
from tests.broken import _base

__path__ = _base.PARTS

LAYER = "celery_impl"
BREAKS = {"C10"}
ALSO = {"C9", "C13"}


class ResultConsumer(results.ResultConsumer):
    def on_state_change(self, meta: Any, message: Message) -> None:
        calls = self._pending_calls._calls
        failed = isinstance(meta, dict) and meta.get("status") == "FAILURE"
        if failed and (call := calls.pop(message.properties["correlation_id"], None)):
            call.future.set_exception(self.backend.exception_to_python(meta["result"]))
        else:
            super().on_state_change(meta, message)


class RpcBackend(results.RpcBackend):
    ResultConsumer = ResultConsumer


class Link(CeleryLink):
    def consume(self) -> None:
        self._app.backend_cls = f"{__name__}:RpcBackend"
        super().consume()


class Client(FibonacciRpcClient):
    link = Link
