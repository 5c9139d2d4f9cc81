"""A client on pika, which gives you AMQP as it is: methods, properties, bytes, and an event loop.

What pika does here: the protocol and its heartbeats, as long as somebody runs its event loop.
What it leaves to you: everything else. When to run the loop, in which thread, and what to do when the connection
is lost stands in `rpc_core/client.py`, which is the same for all layers.
"""

import sys
from collections.abc import Callable
from typing import TypeAlias

from pika.channel import Channel
from pika.frame import Method
from pika.spec import Basic, BasicProperties, Queue

from contract.wire import CONTENT_TYPE
from raw_pika.connection import Connection
from rpc_core.client import BaseClient
from rpc_core.options import ClientOptions
from rpc_core.pending import PendingCall, PendingCalls
from rpc_core.programs import run_client

Declared: TypeAlias = "Method[Queue.DeclareOk]"  # a string, as pika 1.3 has no Method[...]


class PikaLink(Connection):
    """A client's connection: connect, declare, consume; then publish, and hand over each reply.

    What pika calls (`_on_...`) runs within `read`, in the thread that reads.
    """

    def __init__(self, url: str, options: ClientOptions, pending: PendingCalls) -> None:
        super().__init__(url, options.heartbeat, f"raw_pika client of {options.queue}")
        self._options = options
        self._pending = pending

    def declare(self) -> None:
        """See `Link.declare`."""
        # C6: by the client too, so that a request sent before the first server starts is kept for it
        request_queue: list[Declared] = []
        self._declare_request_queue(request_queue.append)
        self.wait_for(request_queue)
        callback_queue: list[Declared] = []
        self.channel.queue_declare("", exclusive=True, callback=callback_queue.append)
        self._callback_queue = self.wait_for(callback_queue).method.queue

    def _declare_request_queue(self, on_declared: Callable[[Declared], None]) -> None:
        self.channel.queue_declare(
            self._options.queue,
            durable=True,
            arguments=self._options.queue_arguments,
            callback=on_declared,
        )

    def consume(self) -> None:
        """See `Link.consume`."""
        consuming: list[Method[Basic.ConsumeOk]] = []
        self.channel.basic_consume(
            self._callback_queue, self._on_reply, auto_ack=True, callback=consuming.append
        )
        self.wait_for(consuming)
        self.channel.add_on_return_callback(self._on_returned)

    def publish(self, call: PendingCall) -> None:
        """See `Link.publish`."""
        self.channel.basic_publish(
            exchange="",  # the default exchange: the routing key is the name of a queue
            routing_key=self._options.queue,
            body=call.body,
            properties=BasicProperties(
                content_type=CONTENT_TYPE,
                reply_to=self._callback_queue,
                correlation_id=call.correlation_id,
                expiration=call.expiration,
            ),
            mandatory=True,  # comes back when there is no such queue
        )

    def _on_reply(
        self, _channel: Channel, _method: Basic.Deliver, properties: BasicProperties, body: bytes
    ) -> None:
        self._pending.on_reply(
            properties.correlation_id, body, properties.content_type, properties.type
        )

    def _on_returned(
        self, _channel: Channel, _method: Basic.Return, properties: BasicProperties, _body: bytes
    ) -> None:
        self._pending.on_returned(properties.correlation_id)

    def count_consumers(self) -> None:
        """See `Link.count_consumers`. Declaring again brings the count, and makes a deleted queue again."""
        self._declare_request_queue(
            lambda declared: self._pending.on_consumer_count(declared.method.consumer_count)
        )


class FibonacciRpcClient(BaseClient[int, int]):
    """The contract's `RpcClient` on raw pika."""

    link = PikaLink


if __name__ == "__main__":
    sys.exit(run_client("raw_pika", FibonacciRpcClient))
