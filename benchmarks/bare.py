"""What the bare clients share: publish, and run the layer's event loop until the answers are there."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator


class BareClient(ABC):
    """A client for one thread; a subclass receives into `_answers`. Any failure is an exception or a hang."""

    def __init__(self) -> None:
        self._ids = map(str, itertools.count(1))
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
        more = True
        while True:
            while more and len(ids) - len(self._answers) < window:
                n = next(numbers, None)
                more = n is not None
                if n is not None:
                    ids.append(next(self._ids))
                    self._publish(n, ids[-1])
            if len(self._answers) == len(ids):
                return [self._answers.pop(id_) for id_ in ids]
            self._run_once()

    @abstractmethod
    def _publish(self, n: int, correlation_id: str) -> None: ...

    @abstractmethod
    def _run_once(self) -> None:
        """Wait for something to arrive, and handle it."""
