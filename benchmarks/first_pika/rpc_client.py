"""A client that publishes, then runs the connection's event loop in the caller's thread until the reply comes.

For many calls, as far as it stretches: publish several, then process events until all are answered.
"""

import itertools
import uuid
from typing import Any

import pika

from benchmarks.bare import BareClient


class FibonacciRpcClient(BareClient):
    """One blocking connection, for one thread."""

    def __init__(self, url: str | None = None, **options: Any) -> None:
        super().__init__(url, **options)
        self._ids = (str(uuid.uuid4()) for _ in itertools.count())
        self._connection = pika.BlockingConnection(pika.URLParameters(self._url))
        self._channel = self._connection.channel()
        self._callback_queue = self._channel.queue_declare("", exclusive=True).method.queue
        self._channel.basic_consume(self._callback_queue, self._on_reply, auto_ack=True)

    def _run_once(self) -> None:
        self._connection.process_data_events(time_limit=None)

    def _publish(self, n: int, correlation_id: str) -> None:
        self._channel.basic_publish(
            exchange="",
            routing_key=self._queue,
            body=str(n).encode(),
            properties=pika.BasicProperties(
                reply_to=self._callback_queue, correlation_id=correlation_id
            ),
        )

    def _on_reply(self, _channel: Any, _method: Any, properties: Any, body: bytes) -> None:
        self._answers[properties.correlation_id] = int(body)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
