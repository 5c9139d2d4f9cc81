"""A server that computes in the callback. A long job would cost it its connection."""

from typing import Any

import pika

from rpc_core.programs import READY_LINE, ServerOptions, parse_server_options


def serve(options: ServerOptions) -> None:
    """Answer until somebody ends the process. One request at a time, whatever the concurrency."""

    def on_open(channel: Any) -> None:
        channel.basic_qos(prefetch_count=options.prefetch)
        channel.queue_declare(
            options.queue,
            durable=True,
            arguments=options.queue_arguments,
            callback=lambda _: channel.basic_consume(
                options.queue, on_request, callback=lambda _: print(READY_LINE, flush=True)
            ),
        )

    def on_request(channel: Any, method: Any, properties: Any, body: bytes) -> None:
        channel.basic_publish(
            exchange="",
            routing_key=properties.reply_to,
            body=str(options.function(int(body))).encode(),
            properties=pika.BasicProperties(correlation_id=properties.correlation_id),
        )
        channel.basic_ack(method.delivery_tag)

    pika.SelectConnection(
        pika.URLParameters(options.urls[0]),
        on_open_callback=lambda connection: connection.channel(on_open_callback=on_open),
    ).ioloop.start()


if __name__ == "__main__":
    serve(parse_server_options("bare_pika"))
