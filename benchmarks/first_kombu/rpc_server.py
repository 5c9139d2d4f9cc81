"""A server that computes in the consumer's callback and replies on the same channel."""

from typing import Any

from kombu import Connection, Consumer, Producer, Queue

from rpc_core.programs import READY_LINE, ServerOptions, parse_server_options


def serve(options: ServerOptions) -> None:
    """Answer until somebody ends the process. One request at a time, whatever the concurrency."""
    queue = Queue(options.queue, durable=True, queue_arguments=options.queue_arguments)
    with Connection(options.urls[0]) as connection:
        channel = connection.channel()

        def on_request(message: Any) -> None:
            Producer(channel).publish(
                options.function(message.payload),
                exchange="",
                routing_key=message.properties["reply_to"],
                serializer="json",
                correlation_id=message.properties["correlation_id"],
            )
            message.ack()

        with Consumer(channel, [queue], on_message=on_request, prefetch_count=options.prefetch):
            print(READY_LINE, flush=True)
            while True:
                connection.drain_events()


if __name__ == "__main__":
    serve(parse_server_options("first_kombu"))
