"""Publish, then read until the reply is there or the time is up."""

import time
import uuid

import pika
from pika.adapters.blocking_connection import BlockingChannel as Channel
from pika.spec import Basic, BasicProperties

from contract import RpcTimeout
from ladder.adapter import BlockingClient, parameters
from rpc_core.options import check_timeout
from rpc_core.programs import run_client


class FibonacciRpcClient(BlockingClient):
    """One connection, for one thread."""

    def open(self) -> None:
        """Get ready: a connection, and a callback queue that is this client's alone."""
        self._connection = pika.BlockingConnection(parameters(self.urls[0], self.heartbeat))
        self._channel = self._connection.channel()
        # C6: by the client too, so that a request sent before the first server starts is kept for it
        self._channel.queue_declare(self.queue, durable=True, arguments=self.queue_arguments)
        self._callback_queue = self._channel.queue_declare("", exclusive=True).method.queue
        self._channel.basic_consume(self._callback_queue, self._on_reply, auto_ack=True)

    def call(self, n: int, *, timeout: float | None = None) -> int:
        """Return fib(n), or raise `RpcTimeout` after `timeout` seconds (C4)."""
        timeout = check_timeout(self.timeout if timeout is None else timeout)
        deadline = time.monotonic() + timeout
        self._reply = b""  # the one slot for a reply
        self._id = str(uuid.uuid4())
        properties = BasicProperties(
            reply_to=self._callback_queue,
            correlation_id=self._id,
            expiration=str(max(0, int(timeout * 1000))),  # C5: the broker drops it then
        )
        # "" is the default exchange: the routing key is the name of a queue
        self._channel.basic_publish("", self.queue, str(n).encode(), properties)
        while not self._reply:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise RpcTimeout("no answer before the deadline")
            self._connection.process_data_events(time_limit=remaining)
        return int(self._reply)

    def _on_reply(self, _: Channel, _m: Basic.Deliver, reply: BasicProperties, body: bytes) -> None:
        if reply.correlation_id == self._id:
            self._reply = body

    def close(self) -> None:
        """Close the connection; the callback queue, which is exclusive, goes with it."""
        self._connection.close()


if __name__ == "__main__":
    raise SystemExit(run_client(str(__package__), FibonacciRpcClient))
