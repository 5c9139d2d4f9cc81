"""Callers that keep a service busy, and check every answer, while something else goes wrong."""

import random
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

from contract import RpcClient, RpcError, fib
from tests.waiting import wait_until

LATE = 2.5  # seconds: how late a deadline may be noticed on a busy machine

ANSWERS = {n: fib(n) for n in range(200)}
FAULTS = ("wrong", "late", "hung")  # and whatever begins with "unexpected"


class Load:
    """Threads that call one after another until the end of the `with` block, `pause` seconds apart.

    `outcomes` counts how the calls ended: answered, the name of an `RpcError`, or a fault: a wrong
    answer, an end later than the deadline allows, none at all, another exception.
    """

    def __init__(
        self, *clients: RpcClient, callers: int = 4, timeout: float = 5.0, seed: int = 1
    ) -> None:
        """Prepare `callers` threads for each client; `timeout` is each call's, in seconds."""
        self.outcomes: Counter[str] = Counter()
        self.pause = 0.0
        self._timeout = timeout
        self._counting = threading.Lock()
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(target=self._call, args=[client, random.Random(f"{seed} {number}")])
            for number, client in enumerate(list(clients) * callers)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ending.set()
        deadline = time.monotonic() + self._timeout + 2 * LATE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            self.outcomes["hung"] += thread.is_alive()

    def wait_for_answers(self, count: int, timeout: float = 30.0) -> None:
        """Wait until `count` more calls were answered; AssertionError after `timeout` seconds."""
        enough = self.outcomes["answered"] + count
        wait_until(lambda: self.outcomes["answered"] >= enough, f"{count} more answers", timeout)

    def assert_no_fault(self, *allowed: type[RpcError]) -> None:
        """Fail if a call ended otherwise than with its answer or, at its time, one of these errors."""
        expected = {"answered", *(error.__name__ for error in allowed)}
        assert not {kind for kind, n in self.outcomes.items() if n} - expected, self.summary

    @property
    def summary(self) -> str:
        """How the calls ended, in one line."""
        kinds = {**{name: self.outcomes[name] for name in ("answered", "wrong", "hung")}}
        kinds |= dict(sorted(self.outcomes.items()))
        made = self.outcomes.total()
        return f"calls: {made}, " + ", ".join(f"{kind}: {n}" for kind, n in kinds.items())

    def _call(self, client: RpcClient, rng: random.Random) -> None:
        while not self._ending.wait(self.pause):
            n = rng.choice(range(len(ANSWERS)))
            begun = time.monotonic()
            try:
                outcome = (
                    "answered" if client.call(n, timeout=self._timeout) == ANSWERS[n] else "wrong"
                )
            except RpcError as error:
                outcome = type(error).__name__
            except BaseException as error:
                outcome = f"unexpected {error!r:.200}"
            if time.monotonic() - begun > self._timeout + LATE:
                outcome = "late"
            with self._counting:
                self.outcomes[outcome] += 1
