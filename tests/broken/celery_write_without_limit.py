"""C4: a write that is stuck never times out: its caller waits until the broker reads again."""

import socket
import struct

from celery_impl.rpc_client import CeleryLink, FibonacciRpcClient
from tests.broken import _base

__path__ = _base.PARTS

LAYER = "celery_impl"
BREAKS = {"C4"}
CAUGHT_BY = {"test_stuck_write_is_given_up"}


class Link(CeleryLink):
    def consume(self) -> None:
        super().consume()
        # py-amqp's own limit on Linux: a second until what was sent is acknowledged
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 0))


class Client(FibonacciRpcClient):
    link = Link
