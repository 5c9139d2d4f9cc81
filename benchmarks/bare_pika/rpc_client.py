"""A client that runs pika's event loop in the caller's thread."""

from typing import Any

import pika
from pika.adapters.select_connection import IOLoop

from benchmarks.bare import BareClient


class FibonacciRpcClient(BareClient):
    """One connection, for one thread."""

    def __init__(self, url: str | None = None, **options: Any) -> None:
        super().__init__(url, **options)
        self._callback_queue = ""
        self._loop = IOLoop()
        self._loop.activate_poller()
        parameters = pika.URLParameters(self._url)
        parameters.heartbeat = 0  # between two calls nobody would send one
        self._connection: Any = pika.SelectConnection(
            parameters,
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._on_open),
            custom_ioloop=self._loop,
        )
        while not self._callback_queue:
            self._run_once()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        while not self._connection.is_closed:
            self._run_once()
        self._loop.close()

    def _run_once(self) -> None:
        self._loop.poll()
        self._loop.process_timeouts()

    def _on_open(self, channel: Any) -> None:
        self._channel = channel
        channel.queue_declare("", exclusive=True, callback=self._on_declared)

    def _on_declared(self, frame: Any) -> None:
        self._channel.basic_consume(frame.method.queue, self._on_reply, auto_ack=True)
        self._callback_queue = frame.method.queue

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
