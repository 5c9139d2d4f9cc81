"""A client that sends frames encoded beforehand and reads only what it must."""

from collections.abc import Iterator
from itertools import islice

from pamqp import commands

from benchmarks.protocol_baseline.wire import CONSUMER_TAG, Connection, request


class FibonacciRpcClient:
    """The least that gets an answer. For one thread."""

    def __init__(
        self, url: str | None = None, *, queue: str = "rpc_queue", queue_type: str = "classic"
    ) -> None:
        self._connection = Connection(url, timeout=10.0)
        self._queue = queue
        self._connection.declare(queue, queue_type)
        declared = self._connection.ask(commands.Queue.Declare(queue="", exclusive=True))
        self._callback_queue: str = declared.queue
        self._connection.ask(
            commands.Basic.Consume(
                queue=self._callback_queue, consumer_tag=CONSUMER_TAG, no_ack=True
            )
        )

    def call(self, n: int) -> int:
        """Return fib(n)."""
        (answer,) = self.call_many(iter([n]), 1)
        return answer

    def call_many(self, numbers: Iterator[int], window: int) -> list[int]:
        """Return fib of each number, with up to `window` requests in flight.

        Requests that can go at once go in one `send`.
        """
        answers: list[int] = []  # by number of request, which is the correlation id
        missing = 0
        while True:
            batch: list[bytes] = []
            for n in islice(numbers, window - missing):
                before, after = request(self._queue, self._callback_queue, n)
                batch += before, b"%08d" % len(answers), after
                answers.append(-1)
                missing += 1
            if batch:
                self._connection.send(b"".join(batch))
            if not missing:
                return answers
            for message in self._connection.receive():
                answers[int(message.correlation_id)] = int(message.body)
                missing -= 1

    def close(self) -> None:
        """Close the socket."""
        self._connection.close()
