"""Serve a durable queue: check, compute, reply with the result or the error, acknowledge."""

import pika
from pika.adapters.blocking_connection import BlockingChannel as Channel
from pika.spec import Basic, BasicProperties

from contract.wire import CONTENT_TYPE, handle_request
from ladder.adapter import parameters
from rpc_core.programs import ServerOptions, parse_server_options, print_ready


class FibonacciRpcServer:
    """Serves one request after the other."""

    def __init__(self, options: ServerOptions) -> None:
        self._options = options

    def run(self) -> int:
        """Serve until somebody ends the process."""
        url, queue = self._options.urls[0], self._options.queue
        self._connection = pika.BlockingConnection(parameters(url, self._options.heartbeat))
        channel = self._connection.channel()
        channel.queue_declare(queue, durable=True, arguments=self._options.queue_arguments)
        channel.basic_qos(prefetch_count=1)  # the next request only when this one is acknowledged
        channel.basic_consume(queue, self._on_request)
        print_ready()
        channel.start_consuming()
        return 0

    def _on_request(
        self, channel: Channel, method: Basic.Deliver, asked: BasicProperties, body: bytes
    ) -> None:
        # C9, C10: never raises; a request that ended this server would end the next one too
        reply = handle_request(self._options.function, body, asked.content_type)
        properties = BasicProperties(
            content_type=CONTENT_TYPE, correlation_id=asked.correlation_id, type=reply.type
        )
        # nowhere, if nobody wants a reply
        channel.basic_publish("", asked.reply_to or "", reply.body, properties)
        # last: until then another server may still get it
        channel.basic_ack(method.delivery_tag or 0)  # never None, whatever pika's stub says


if __name__ == "__main__":
    raise SystemExit(FibonacciRpcServer(parse_server_options(str(__package__))).run())
