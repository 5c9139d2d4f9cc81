"""C12: after reconnecting the client does not consume its callback queue."""

from typing import Any

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C12"}
ALSO = {"C18", "C21", "C23"}


class Client(_base.Client):
    _connections = 0

    def _on_callback_queue_declared(self, frame: Any) -> None:
        self._connections += 1
        if self._connections == 1:
            super()._on_callback_queue_declared(frame)
        else:
            self._on_consuming(frame.method.queue)
