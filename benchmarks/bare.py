"""What the bare clients share: publish, and run the layer's event loop until the answers are there."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator

from rpc_core.addresses import broker_urls


class BareClient(ABC):
    """A client for one thread; a subclass receives into `_answers`. Any failure is an exception or a hang."""

    def __init__(
        self, url: str | None = None, *, queue: str = "rpc_queue", queue_type: str = "classic"
    ) -> None:
        self._url = broker_urls(url)[0]
        self._queue = queue
        self._ids: Iterator[str] = map(str, itertools.count(1))
        self._answers: dict[str, int] = {}

    def call(self, n: int) -> int:
        """Return fib(n)."""
        id_ = next(self._ids)
        self._publish(n, id_)
        while id_ not in self._answers:
            self._run_once()
        return self._answers.pop(id_)

    def call_many(self, numbers: Iterator[int], window: int) -> list[int]:
        """Return fib of each number, with up to `window` in flight."""
        ids: list[str] = []
        for n in numbers:
            while len(ids) - len(self._answers) >= window:
                self._run_once()
            ids.append(next(self._ids))
            self._publish(n, ids[-1])
        while len(self._answers) < len(ids):
            self._run_once()
        return [self._answers.pop(id_) for id_ in ids]

    @abstractmethod
    def _publish(self, n: int, correlation_id: str) -> None: ...

    @abstractmethod
    def _run_once(self) -> None:
        """Wait for something to arrive, and handle it."""
