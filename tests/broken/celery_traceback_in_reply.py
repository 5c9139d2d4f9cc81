"""C10: Celery's result backend gets the traceback of a task that failed, and sends it to the caller."""

from typing import Any

from celery_impl import results
from contract import RemoteError
from rpc_core.programs import ServerOptions
from tests.broken import _base, _celery

__path__ = _base.PARTS

LAYER = "celery_impl"
BREAKS = {"C10"}


class RpcBackend(results.RpcBackend):
    def store_result(
        self,
        task_id: str,
        result: Any,
        state: str,
        traceback: str | None = None,
        request: Any = None,
        **_: Any,
    ) -> None:
        if isinstance(result, RemoteError):
            result = RemoteError(result.exception_type, f"{result.message}\n{traceback}")
        super().store_result(task_id, result, state, request=request)


class Server(_celery.Server):
    def __init__(self, options: ServerOptions) -> None:
        super().__init__(options)
        self._app.backend_cls = f"{__name__}:RpcBackend"
