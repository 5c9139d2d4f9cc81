"""A client that publishes, then runs the connection's event loop in the caller's thread until the reply comes."""

import uuid
from collections.abc import Iterator
from typing import Any

import pika

from rpc_core.addresses import broker_urls


class FibonacciRpcClient:
    """One blocking connection, for one thread."""

    def __init__(
        self, url: str | None = None, *, queue: str = "rpc_queue", queue_type: str = "classic"
    ) -> None:
        self._connection = pika.BlockingConnection(pika.URLParameters(broker_urls(url)[0]))
        self._channel = self._connection.channel()
        self._queue = queue
        self._callback_queue = self._channel.queue_declare("", exclusive=True).method.queue
        self._channel.basic_consume(self._callback_queue, self._on_reply, auto_ack=True)
        self._answers: dict[str, int] = {}
        self._missing = 0

    def call(self, n: int) -> int:
        """Return fib(n)."""
        correlation_id = self._publish(n)
        while correlation_id not in self._answers:
            self._connection.process_data_events(time_limit=None)
        return self._answers.pop(correlation_id)

    def call_many(self, numbers: Iterator[int], window: int) -> list[int]:
        """Return fib of each number, with up to `window` in flight.

        As far as the tutorial's client stretches: publish several, then process events until all are answered.
        """
        ids: list[str] = []
        more = True
        while True:
            while more and self._missing < window:
                n = next(numbers, None)
                more = n is not None
                if n is not None:
                    ids.append(self._publish(n))
            if not self._missing:
                return [self._answers.pop(each) for each in ids]
            self._connection.process_data_events(time_limit=None)

    def _publish(self, n: int) -> str:
        correlation_id = str(uuid.uuid4())
        self._missing += 1
        self._channel.basic_publish(
            exchange="",
            routing_key=self._queue,
            body=str(n).encode(),
            properties=pika.BasicProperties(
                reply_to=self._callback_queue, correlation_id=correlation_id
            ),
        )
        return correlation_id

    def _on_reply(self, _channel: Any, _method: Any, properties: Any, body: bytes) -> None:
        self._answers[properties.correlation_id] = int(body)
        self._missing -= 1

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
