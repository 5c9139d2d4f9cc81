"""The threads in which a server computes, so that its connection is served meanwhile (C16)."""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any


class Workers:
    """Calls `job(*arguments)` in `concurrency` threads, in the order of `put`.

    Not a `ThreadPoolExecutor`: its futures and locks, which nobody waits on here, were measured to cost a
    call 0.06 ms of 0.8. `job` must not raise.
    """

    def __init__(self, job: Callable[..., None], concurrency: int) -> None:
        self._job = job
        self._waiting: SimpleQueue[tuple[Any, ...] | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"compute-{number}", daemon=True)
            for number in range(concurrency)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, *arguments: Any) -> None:
        """Have a thread call the job with these arguments."""
        self._waiting.put(arguments)

    def withdraw(self) -> list[tuple[Any, ...]]:
        """Return the arguments that no thread has begun with; none will."""
        withdrawn = []
        try:
            while True:
                withdrawn.append(self._waiting.get_nowait() or ())
        except Empty:
            return withdrawn

    def close(self) -> None:
        """Wait until all that was put is done, and end the threads."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (arguments := self._waiting.get()) is not None:
            self._job(*arguments)
