"""C9: the client checks its arguments, and the server trusts every message."""

import logging

from contract.fibonacci import check_n
from contract.wire import Reply, error_reply
from rpc_core.pending import PendingCall
from rpc_core.server import Request
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C9"}
ALSO = {"C10", "C20"}

log = logging.getLogger(__name__)


class Client(_base.Client):
    def _enter(self, n: int, timeout: float | None) -> PendingCall:
        return super()._enter(check_n(n), timeout)


class Server(_base.Server):
    def _compute(self, request: Request) -> Reply | None:
        if request.expired:
            return None
        try:
            return Reply(str(self._options.function(int(request.body))).encode())
        except BaseException as error:
            log.exception("the function raised")
            return error_reply(error)
