"""Serve a durable queue: compute where the request was read, reply, acknowledge."""

import pika
from pika.adapters.blocking_connection import BlockingChannel as Channel
from pika.spec import Basic, BasicProperties

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
        answer = str(self._options.function(int(body))).encode()
        properties = BasicProperties(correlation_id=asked.correlation_id)
        # nowhere, if nobody wants a reply
        channel.basic_publish("", asked.reply_to or "", answer, properties)
        # last: until then another server may still get it
        channel.basic_ack(method.delivery_tag or 0)  # never None, whatever pika's stub says


if __name__ == "__main__":
    raise SystemExit(FibonacciRpcServer(parse_server_options(str(__package__))).run())
