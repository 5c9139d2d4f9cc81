"""A server on pika, which gives you AMQP as it is: methods, properties, bytes, and an event loop.

What pika does here: the protocol, the prefetch, and the heartbeats, as long as somebody runs its event loop.
What it leaves to you: everything else. Where to compute so that heartbeats go on, how to stop, and what to do when
the connection is lost stands in `rpc_core/server.py`, which is the same for pika and kombu.
"""

import sys
import time
from collections.abc import Callable

from pika.channel import Channel
from pika.frame import Method
from pika.spec import Basic, BasicProperties, Queue

from contract.wire import CONTENT_TYPE, Reply
from raw_pika.connection import Connection
from rpc_core.programs import ServerOptions, parse_server_options
from rpc_core.server import BaseServer, Request


class PikaLink(Connection):
    """A server's connection: connect, declare, consume; then reply and acknowledge.

    What pika calls (`_on_request`) runs within `read`, in the thread that reads.
    """

    def __init__(
        self, url: str, options: ServerOptions, on_request: Callable[[Request], None]
    ) -> None:
        super().__init__(url, options.heartbeat, f"raw_pika server of {options.queue}")
        self._options = options
        self._hand_over = on_request
        self._consumer_tags: list[str] = []

    def declare(self) -> None:
        """See `Link.declare`."""
        declared: list[Method[Queue.DeclareOk]] = []
        self.channel.queue_declare(
            self._options.queue,
            durable=True,
            arguments=self._options.queue_arguments,
            callback=declared.append,
        )
        self.wait_for(declared)

    def consume(self, prefetch: int) -> None:
        """See `Link.consume`. The prefetch is that of consumers to come on this channel."""
        self.channel.basic_qos(prefetch_count=prefetch)
        consuming: list[Method[Basic.ConsumeOk]] = []
        tag = self.channel.basic_consume(
            self._options.queue, self._on_request, callback=consuming.append
        )
        self.wait_for(consuming)
        self._consumer_tags.append(tag)

    def _on_request(
        self, _channel: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes
    ) -> None:
        request = Request(
            body=body,
            content_type=properties.content_type,
            reply_to=properties.reply_to,
            correlation_id=properties.correlation_id,
            expiration=properties.expiration,
            delivery=method.delivery_tag,
            received=time.monotonic(),
        )
        self._hand_over(request)

    def reply(self, request: Request, reply: Reply | None) -> None:
        """See `Link.reply`."""
        if reply is not None and request.reply_to:
            self.channel.basic_publish(
                exchange="",  # the default exchange: the routing key is the name of a queue
                routing_key=request.reply_to,
                body=reply.body,
                properties=BasicProperties(
                    content_type=CONTENT_TYPE,
                    correlation_id=request.correlation_id,
                    type=reply.type,
                ),
            )
        self.channel.basic_ack(request.delivery)  # C14: after the reply

    def give_back(self, request: Request) -> None:
        """See `Link.give_back`."""
        # not basic_reject, which a quorum queue counts as an attempt that failed, from RabbitMQ 4.3 on
        self.channel.basic_nack(request.delivery, requeue=True)

    def cancel(self) -> None:
        """See `Link.cancel`."""
        for tag in self._consumer_tags:
            self.channel.basic_cancel(tag)


class FibonacciRpcServer(BaseServer):
    """The server on raw pika."""

    link = PikaLink


if __name__ == "__main__":
    sys.exit(FibonacciRpcServer(parse_server_options("raw_pika")).run())
