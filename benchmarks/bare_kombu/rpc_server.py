"""A server that computes in the consumer's callback. A long job would cost it its connection."""

from typing import Any

from kombu import Connection, Consumer, Producer, Queue

from rpc_core.programs import READY_LINE, ServerOptions, parse_server_options


def serve(options: ServerOptions) -> None:
    """Answer until somebody ends the process. One request at a time, whatever the concurrency."""
    queue = Queue(options.queue, durable=True, queue_arguments=options.queue_arguments)
    with Connection(options.urls[0]) as connection:
        channel = connection.default_channel
        producer: Any = Producer(channel, auto_declare=False)

        def on_request(message: Any) -> None:
            producer.publish(
                str(options.function(int(message.body))).encode(),
                routing_key=message.properties["reply_to"],
                delivery_mode="transient",
                correlation_id=message.properties["correlation_id"],
            )
            message.ack()

        with Consumer(channel, [queue], on_message=on_request, prefetch_count=options.prefetch):
            print(READY_LINE, flush=True)
            while True:
                connection.drain_events()


if __name__ == "__main__":
    serve(parse_server_options("bare_kombu"))
