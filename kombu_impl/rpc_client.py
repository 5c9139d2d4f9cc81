"""A client on kombu, which gives you objects: a connection, queues, a producer, a consumer.

What kombu does here: connecting, declaring and consuming, as calls that wait for the broker's answer; publishing.
What it leaves to you: everything else. When to read the connection, in which thread, and what to do when it is
lost stands in `rpc_core/client.py`, which is the same for all layers.
"""

import sys

from kombu import Consumer, Exchange, Message, Producer, Queue

from contract.wire import CONTENT_TYPE
from kombu_common.hardening import body_of
from kombu_impl.connection import Connection
from rpc_core.client import BaseClient
from rpc_core.options import ClientOptions
from rpc_core.pending import PendingCall, PendingCalls
from rpc_core.programs import run_client


class KombuLink(Connection):
    """A client's connection: connect, declare, consume; then publish, and hand over each reply.

    What kombu calls (`_on_...`) runs within `read`, in the thread that reads.
    """

    def __init__(self, url: str, options: ClientOptions, pending: PendingCalls) -> None:
        super().__init__(url, options.heartbeat, f"kombu_impl client of {options.queue}")
        self._options = options
        self._pending = pending

    def declare(self) -> None:
        """See `Link.declare`."""
        # C6: by the client too, so that a request sent before the first server starts is kept for it
        self._request_queue = Queue(
            self._options.queue,
            durable=True,
            queue_arguments=self._options.queue_arguments,
        ).bind(self.channel)
        self._request_queue.declare()
        self._callback_queue = Queue("", durable=False, exclusive=True).bind(self.channel)
        self._callback_queue.declare()

    def consume(self) -> None:
        """See `Link.consume`."""
        # on_message, not callbacks: kombu would decode the body first, and raise out of the loop if it cannot
        consumer = Consumer(
            self.channel,
            [self._callback_queue],
            on_message=self._on_reply,
            no_ack=True,
            auto_declare=False,
        )
        consumer.consume()
        self._producer = Producer(self.channel, auto_declare=False, on_return=self._on_returned)

    def publish(self, call: PendingCall) -> None:
        """See `Link.publish`."""
        self._producer.publish(
            call.body,
            routing_key=self._options.queue,
            content_type=CONTENT_TYPE,
            content_encoding="utf-8",  # else kombu writes "binary"
            delivery_mode=1,  # transient; kombu's default is to write every message to disk
            reply_to=self._callback_queue.name,
            correlation_id=call.correlation_id,
            expiration=call.remaining,
            mandatory=True,  # comes back when there is no such queue
        )

    def _on_reply(self, message: Message) -> None:
        properties = message.properties
        self._pending.on_reply(
            properties.get("correlation_id"),
            body_of(message),
            message.content_type,
            properties.get("type"),
        )

    def _on_returned(
        self, _error: Exception, _exchange: Exchange | str, _key: str, message: Message
    ) -> None:
        self._pending.on_returned(message.properties.get("correlation_id"))

    def count_consumers(self) -> None:
        """See `Link.count_consumers`. Declaring again brings the count, and makes a deleted queue again."""
        self.count_consumers_of(self._request_queue, self._pending.on_consumer_count)


class FibonacciRpcClient(BaseClient[int, int]):
    """The contract's `RpcClient` on kombu."""

    link = KombuLink


if __name__ == "__main__":
    sys.exit(run_client("kombu_impl", FibonacciRpcClient))
