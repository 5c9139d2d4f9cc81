"""C2: as kombu's example does, the client declares and consumes a callback queue for each call."""

from typing import Any

from contract.pending import PendingCall
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C2"}
CAUGHT_BY = {"test_one_callback_queue"}


class Client(_base.Client):
    def _publish(self, call: PendingCall) -> None:
        def on_declared(frame: Any) -> None:
            self._channel.basic_consume(
                frame.method.queue, self._on_reply, auto_ack=True, callback=lambda _: publish(frame)
            )

        def publish(frame: Any) -> None:
            self._callback_queue = frame.method.queue
            super(Client, self)._publish(call)

        if self._callback_queue is None:
            super()._publish(call)
        else:
            self._channel.queue_declare("", exclusive=True, callback=on_declared)
