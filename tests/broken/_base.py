"""raw_pika's client and server, with the few hooks by which the modules here break them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import raw_pika.rpc_client
import raw_pika.rpc_server
from contract import wire
from contract.pending import PendingCalls
from contract.wire import Reply

PARTS = [str(Path(__file__).parent / "_parts")]


class Client(raw_pika.rpc_client.FibonacciRpcClient):
    """raw_pika's client."""

    pending_calls: type[PendingCalls] = PendingCalls
    default_timeout = 10.0

    def __init__(self, url: str | None = None, **options: Any) -> None:
        with patch.object(raw_pika.rpc_client, "PendingCalls", self.pending_calls):
            super().__init__(url, **{"timeout": self.default_timeout, **options})


class Server(raw_pika.rpc_server.FibonacciRpcServer):
    """raw_pika's server."""

    def run(self) -> int:
        """See `raw_pika.rpc_server`."""
        with patch.object(raw_pika.rpc_server, "answer", self.answer):
            return super().run()

    def answer(
        self, function: Callable[[int], int], body: bytes, content_type: str | None
    ) -> Reply:
        """See `contract.wire.answer`."""
        return wire.answer(function, body, content_type)


class Channel:
    """A pika channel, for subclasses that change one of its methods."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)
