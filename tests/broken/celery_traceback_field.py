"""C10: the traceback of a task that failed stands in its reply, in the field that Celery has for it."""

from typing import Any

from celery_impl import results
from rpc_core.programs import ServerOptions
from tests.broken import _base, _celery

__path__ = _base.PARTS

LAYER = "celery_impl"
BREAKS = {"C10"}
CAUGHT_BY = {"test_raw_error_replies"}


class RpcBackend(results.RpcBackend):
    def store_result(
        self,
        task_id: str,
        result: Any,
        state: str,
        traceback: Any = None,
        request: Any = None,
        **_: Any,
    ) -> None:
        super().store_result(task_id, result, state, request=request)
        if request.message.reply:
            request.message.reply["traceback"] = traceback


class Server(_celery.Server):
    def __init__(self, options: ServerOptions) -> None:
        super().__init__(options)
        self._app.backend_cls = f"{__name__}:RpcBackend"
