"""C12: a request whose write failed is sent again, though the broker may have it."""

from rpc_core.pending import PendingCall
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C12"}
CAUGHT_BY = {"test_write_that_fails_after_the_broker_had_it"}


class Client(_base.Client):
    def _publish(self, call: PendingCall) -> None:
        try:
            super()._publish(call)
        except Exception:
            call.sent = False
            raise
