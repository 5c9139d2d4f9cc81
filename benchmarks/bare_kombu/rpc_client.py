"""A client that drains kombu's connection in the caller's thread."""

from typing import Any

from kombu import Connection, Consumer, Producer, Queue

from benchmarks.bare import BareClient


class FibonacciRpcClient(BareClient):
    """One connection, for one thread."""

    def __init__(self, url: str | None = None, **options: Any) -> None:
        super().__init__(url, **options)
        self._connection = self._connect()
        channel = self._connection.default_channel
        self._producer: Any = Producer(channel, auto_declare=False)
        self._callback_queue = Queue("", exclusive=True, durable=False).bind(channel)
        self._callback_queue.declare()  # here: a consumer would declare a copy, which keeps the name
        Consumer(
            channel,
            [self._callback_queue],
            on_message=self._on_reply,
            no_ack=True,
            auto_declare=False,
        ).consume()

    def _connect(self) -> Any:
        return Connection(self._url)

    def close(self) -> None:
        """Close the connection."""
        self._connection.release()

    def _run_once(self) -> None:
        self._connection.drain_events()

    def _publish(self, n: int, correlation_id: str) -> None:
        self._producer.publish(
            str(n).encode(),
            routing_key=self._queue,
            delivery_mode="transient",
            reply_to=self._callback_queue.name,
            correlation_id=correlation_id,
        )

    def _on_reply(self, message: Any) -> None:
        self._answers[message.properties["correlation_id"]] = int(message.body)
