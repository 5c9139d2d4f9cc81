"""C5: a request carries its whole timeout, whatever its call has spent waiting for a connection."""

import time

from rpc_core.pending import PendingCall, PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C5"}
CAUGHT_BY = {"test_expiration_of_a_call_that_waited"}


class Forgetful(PendingCalls):
    def add(self, body: bytes, timeout: float) -> PendingCall:
        call = super().add(body, timeout)
        self.timeouts = {**getattr(self, "timeouts", {}), call.correlation_id: timeout}
        return call


class Link(_base.ClientLink):
    def publish(self, call: PendingCall) -> None:
        assert isinstance(self._pending, Forgetful)
        deadline = call.deadline
        call.deadline = time.monotonic() + self._pending.timeouts[call.correlation_id]
        super().publish(call)
        call.deadline = deadline


class Client(_base.Client):
    link = Link
    pending_calls = Forgetful
