"""The tutorial's client: publish, then read until the reply is there."""

import uuid

import pika
from pika.adapters.blocking_connection import BlockingChannel as Channel
from pika.spec import Basic, BasicProperties

from ladder.adapter import BlockingClient, parameters
from rpc_core.programs import run_client


class FibonacciRpcClient(BlockingClient):
    """One connection, for one thread."""

    def open(self) -> None:
        """Get ready: a connection, and a callback queue that is this client's alone."""
        self._connection = pika.BlockingConnection(parameters(self.urls[0], self.heartbeat))
        self._channel = self._connection.channel()
        self._callback_queue = self._channel.queue_declare("", exclusive=True).method.queue
        self._channel.basic_consume(self._callback_queue, self._on_reply, auto_ack=True)

    def call(self, n: int, *, timeout: float | None = None) -> int:
        """Return fib(n), however long it takes."""
        self._reply = b""  # the one slot for a reply
        self._id = str(uuid.uuid4())
        properties = BasicProperties(
            reply_to=self._callback_queue,
            correlation_id=self._id,
        )
        # "" is the default exchange: the routing key is the name of a queue
        self._channel.basic_publish("", self.queue, str(n).encode(), properties)
        while not self._reply:
            self._connection.process_data_events(time_limit=None)
        return int(self._reply)

    def _on_reply(self, _: Channel, _m: Basic.Deliver, reply: BasicProperties, body: bytes) -> None:
        if reply.correlation_id == self._id:
            self._reply = body

    def close(self) -> None:
        """Close the connection; the callback queue, which is exclusive, goes with it."""
        self._connection.close()


if __name__ == "__main__":
    raise SystemExit(run_client(str(__package__), FibonacciRpcClient))
