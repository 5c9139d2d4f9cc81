"""C8: the callback queue stays in the broker when the client has gone."""

from typing import Any

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C8"}


class Client(_base.Client):
    def _on_request_queue_declared(self, _frame: Any) -> None:
        self._channel.queue_declare("", durable=True, callback=self._on_callback_queue_declared)
