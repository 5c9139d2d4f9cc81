"""A server on kombu's `ConsumerProducerMixin`, which reads, and connects again when a connection is lost."""

from collections.abc import Sequence
from typing import Any

from kombu import Connection, Queue
from kombu.mixins import ConsumerProducerMixin

from rpc_core.programs import READY_LINE, ServerOptions, parse_server_options


class Server(ConsumerProducerMixin):
    """Computes in the consumer's callback, one request at a time; replies on a second connection."""

    def __init__(self, options: ServerOptions) -> None:
        self.connection = Connection(options.urls[0])
        self._options = options
        self._queue = Queue(options.queue, durable=True, queue_arguments=options.queue_arguments)

    def get_consumers(self, consumer: Any, channel: Any) -> Sequence[Any]:
        """Consume from the queue; called for each connection."""
        return [
            consumer(
                [self._queue],
                on_message=self._on_request,
                accept={"application/json"},
                prefetch_count=self._options.prefetch,
            )
        ]

    def on_consume_ready(self, *_: Any, **_options: Any) -> None:
        """Tell whoever started the program; at each connection."""
        print(READY_LINE, flush=True)

    def _on_request(self, message: Any) -> None:
        self.producer.publish(
            self._options.function(message.payload),
            exchange="",
            routing_key=message.properties["reply_to"],
            correlation_id=message.properties["correlation_id"],
            serializer="json",
            retry=True,
        )
        message.ack()


def serve(options: ServerOptions) -> None:
    """Answer, one request at a time whatever the concurrency, until somebody ends the process."""
    Server(options).run()


if __name__ == "__main__":
    serve(parse_server_options("first_kombu"))
