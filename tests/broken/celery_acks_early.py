"""C14: with `task_acks_late` off, as by default, Celery acknowledges a request before it is computed."""

from typing import Any

from celery_impl.consumer import RpcConsumer
from rpc_core.programs import ServerOptions
from tests.broken import _base, _celery

__path__ = _base.PARTS

LAYER = "celery_impl"
BREAKS = {"C14"}
ALSO = {"C11", "C12", "C15", "C17"}
CAUGHT_BY = {"test_request_is_held_until_it_is_answered"}


class Consumer(RpcConsumer):
    def _send_reply(self, meta: dict[str, Any], reply_to: str, id_: str | None) -> None:
        super()._send_reply(meta, reply_to, id_)
        self.hub.call_soon(self._flush)  # no acknowledgement follows, with which it would go


class Server(_celery.Server):
    consumer = Consumer

    def __init__(self, options: ServerOptions) -> None:
        super().__init__(options)
        self._app.conf.task_acks_late = False
