"""A client that declares, consumes, waits and cancels for each call, with kombu's context managers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from queue import SimpleQueue
from typing import Any

from kombu import Connection, Consumer, Producer, Queue, uuid

from rpc_core.addresses import broker_urls

MAX_THREADS = 32
"""Callers at once, at the most: each needs a thread and a connection of its own."""


class FibonacciRpcClient:
    """One connection for one thread; `call_many` opens more of them."""

    def __init__(
        self, url: str | None = None, *, queue: str = "rpc_queue", queue_type: str = "classic"
    ) -> None:
        self._url = broker_urls(url)[0]
        self._queue = queue
        self._connection = Connection(self._url)
        self._callback_queue = Queue(uuid(), exclusive=True, auto_delete=True)
        self._correlation_id = ""
        self._answers: dict[str, int] = {}
        self._others: list[FibonacciRpcClient] = []

    def call(self, n: int) -> int:
        """Return fib(n)."""
        self._correlation_id = uuid()
        with Producer(self._connection) as producer:
            producer.publish(
                n,
                exchange="",
                routing_key=self._queue,
                serializer="json",
                declare=[self._callback_queue],
                reply_to=self._callback_queue.name,
                correlation_id=self._correlation_id,
            )
        with Consumer(
            self._connection, [self._callback_queue], on_message=self._on_reply, no_ack=True
        ):
            while self._correlation_id not in self._answers:
                self._connection.drain_events()
        return self._answers.pop(self._correlation_id)

    def call_many(self, numbers: Iterator[int], window: int) -> list[int]:
        """Return fib of each number, from `window` threads with a connection each, 32 at the most.

        A client like this one has one call under way; whoever wants more takes more of them.
        """
        count = min(window, MAX_THREADS)
        while len(self._others) < count:
            self._others.append(FibonacciRpcClient(self._url, queue=self._queue))
        idle: SimpleQueue[FibonacciRpcClient] = SimpleQueue()
        for each in self._others[:count]:
            idle.put(each)

        def call(n: int) -> int:
            client = idle.get()
            try:
                return client.call(n)
            finally:
                idle.put(client)

        answers: list[int] = []
        with ThreadPoolExecutor(count) as pool:
            while batch := list(islice(numbers, count)):
                answers += pool.map(call, batch)
        return answers

    def _on_reply(self, message: Any) -> None:
        self._answers[message.properties["correlation_id"]] = message.payload

    def close(self) -> None:
        """Close the connections."""
        for each in [self, *self._others]:
            each._connection.release()
