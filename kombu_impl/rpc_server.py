"""A server on kombu, which gives you objects: a connection, queues, a producer, a consumer.

What kombu does here: connecting, declaring, prefetch, as calls that wait for the broker's answer; acknowledging.
What it leaves to you: everything else. Where to compute so that heartbeats go on, how to stop, and what to do when
the connection is lost stands in `rpc_core/server.py`, which is the same for pika and kombu.
"""

import sys
import time
from collections.abc import Callable

from kombu import Consumer, Message, Producer, Queue

from contract.wire import CONTENT_TYPE, Reply
from kombu_common.hardening import body_of
from kombu_impl.connection import Connection
from rpc_core.programs import ServerOptions, parse_server_options
from rpc_core.server import BaseServer, Request


class KombuLink(Connection):
    """A server's connection: connect, declare, consume; then reply and acknowledge.

    What kombu calls (`_on_request`) runs within `read`, in the thread that reads.
    """

    def __init__(
        self, url: str, options: ServerOptions, on_request: Callable[[Request], None]
    ) -> None:
        super().__init__(url, options.heartbeat, f"kombu_impl server of {options.queue}")
        self._options = options
        self._hand_over = on_request
        self._consumers: list[Consumer] = []

    def declare(self) -> None:
        """See `Link.declare`."""
        self._request_queue = Queue(
            self._options.queue,
            durable=True,
            queue_arguments=self._options.queue_arguments,
        ).bind(self.channel)
        self._request_queue.declare()
        self._producer = Producer(self.channel, auto_declare=False)

    def consume(self, prefetch: int) -> None:
        """See `Link.consume`. The prefetch is that of consumers to come on this channel."""
        # on_message, not callbacks: kombu would decode the body first, and raise out of the loop if it cannot
        consumer = Consumer(
            self.channel,
            [self._request_queue],
            on_message=self._on_request,
            prefetch_count=prefetch,
            auto_declare=False,
        )
        consumer.consume()
        self.wake()  # a request that came with the answer is buffered: it ends no wait
        self._consumers.append(consumer)

    def _on_request(self, message: Message) -> None:
        properties = message.properties
        request = Request(
            body=body_of(message),
            content_type=message.content_type,
            reply_to=properties.get("reply_to"),
            correlation_id=properties.get("correlation_id"),
            expiration=properties.get("expiration"),
            delivery=message,
            received=time.monotonic(),
        )
        self._hand_over(request)

    def reply(self, request: Request, reply: Reply | None) -> None:
        """See `Link.reply`."""
        if reply is not None and request.reply_to:
            self._producer.publish(
                reply.body,
                routing_key=request.reply_to,
                content_type=CONTENT_TYPE,
                content_encoding="utf-8",  # else kombu writes "binary"
                delivery_mode=1,  # transient; kombu's default is to write every message to disk
                correlation_id=request.correlation_id,
                type=reply.type,
            )
        request.delivery.ack()  # C14: after the reply

    def give_back(self, request: Request) -> None:
        """See `Link.give_back`."""
        self.nack(request.delivery)

    def cancel(self) -> None:
        """See `Link.cancel`."""
        for consumer in self._consumers:
            consumer.cancel()


class FibonacciRpcServer(BaseServer):
    """The server on kombu."""

    link = KombuLink


if __name__ == "__main__":
    sys.exit(FibonacciRpcServer(parse_server_options("kombu_impl")).run())
