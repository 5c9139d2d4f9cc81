"""A server that computes in the callback, on the thread that also has to keep the connection alive."""

from typing import Any

import pika

from rpc_core.programs import READY_LINE, ServerOptions, parse_server_options


def serve(options: ServerOptions) -> None:
    """Answer until somebody ends the process. One request at a time, whatever the concurrency."""
    channel = pika.BlockingConnection(pika.URLParameters(options.urls[0])).channel()
    channel.queue_declare(options.queue, durable=True, arguments=options.queue_arguments)

    def on_request(_channel: Any, method: Any, properties: Any, body: bytes) -> None:
        channel.basic_publish(
            exchange="",
            routing_key=properties.reply_to,
            body=str(options.function(int(body))).encode(),
            properties=pika.BasicProperties(correlation_id=properties.correlation_id),
        )
        channel.basic_ack(method.delivery_tag)

    channel.basic_qos(prefetch_count=options.prefetch)
    channel.basic_consume(options.queue, on_request)
    print(READY_LINE, flush=True)
    channel.start_consuming()


if __name__ == "__main__":
    serve(parse_server_options("first_pika"))
