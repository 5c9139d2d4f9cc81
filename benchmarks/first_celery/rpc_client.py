"""A client that sends with `.delay()` and waits with `.get()`."""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from kombu import pools

from benchmarks.first_celery.app import make_app
from contract import fib
from rpc_core.addresses import broker_urls


class FibonacciRpcClient:
    """The task, called from one thread."""

    def __init__(
        self, url: str | None = None, *, queue: str = "rpc_queue", queue_type: str = "classic"
    ) -> None:
        self._app = make_app(broker_urls(url)[0], queue, fib)
        self._task = self._app.tasks["fib"]

    def call(self, n: int) -> int:
        """Return fib(n)."""
        answer: int = self._task.delay(n).get()
        return answer

    def call_many(self, numbers: Iterator[int], window: int) -> list[int]:
        """Return fib of each number: send with `.delay()` until `window` are out, then `.get()` the oldest."""
        out = deque(self._task.delay(n) for n in islice(numbers, window))
        answers = []
        while out:
            answers.append(out.popleft().get())
            out.extend(self._task.delay(n) for n in islice(numbers, 1))
        return answers

    def close(self) -> None:
        """Close the connections."""
        with suppress(AttributeError):  # what Celery raises when nothing was ever received
            self._app.backend.result_consumer.stop()
        self._app.close()
        pools.reset()  # the process has one pool of connections for each address, which no application closes
