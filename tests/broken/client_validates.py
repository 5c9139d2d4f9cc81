"""C9: the client checks its arguments, and the server trusts every message."""

import logging
from concurrent.futures import Future
from typing import Any

from contract.fibonacci import check_n
from contract.wire import Reply, error_reply
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C9"}
ALSO = {"C10", "C20"}

log = logging.getLogger(__name__)


class Client(_base.Client):
    def _send(self, n: int, timeout: float | None, **options: bool) -> "Future[int]":
        return super()._send(check_n(n), timeout, **options)


class Server(_base.Server):
    def answer(self, function: Any, body: bytes, content_type: str | None) -> Reply:
        try:
            return Reply(str(function(int(body))).encode())
        except BaseException as error:
            log.exception("the function raised")
            return error_reply(error)
