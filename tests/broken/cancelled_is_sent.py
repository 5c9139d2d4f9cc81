"""C7: a call that was cancelled while it waited for a connection is sent all the same."""

from rpc_core.pending import PendingCall
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C7"}
CAUGHT_BY = {"test_cancelled_call_is_not_sent"}


class Client(_base.Client):
    def _publish(self, call: PendingCall) -> None:
        if call.future.cancelled() and self._link is not None:
            self._link.publish(call)
        super()._publish(call)
