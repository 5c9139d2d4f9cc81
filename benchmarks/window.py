"""What the bare rows' clients share: publish, and turn the layer's loop until the answers are there."""

import itertools
from collections.abc import Callable, Iterator


class Window:
    """Calls of one thread, over `publish(n, correlation_id)` and `turn()`, which receives into `answers`."""

    def __init__(self, publish: Callable[[int, str], None], turn: Callable[[], object]) -> None:
        self._publish = publish
        self._turn = turn
        self._ids = map(str, itertools.count(1))
        self.answers: dict[str, int] = {}

    def call(self, n: int) -> int:
        """Return fib(n)."""
        id_ = next(self._ids)
        self._publish(n, id_)
        while id_ not in self.answers:
            self._turn()
        return self.answers.pop(id_)

    def call_many(self, numbers: Iterator[int], window: int) -> list[int]:
        """Return fib of each number, with up to `window` in flight."""
        ids: list[str] = []
        more = True
        while True:
            while more and len(ids) - len(self.answers) < window:
                n = next(numbers, None)
                more = n is not None
                if n is not None:
                    ids.append(next(self._ids))
                    self._publish(n, ids[-1])
            if len(self.answers) == len(ids):
                return [self.answers.pop(id_) for id_ in ids]
            self._turn()
