"""Celery's clients for the suite: an application is for several threads, so calls are submitted to a pool of them.

The threads last as long as the client. A thread for each call would lose calls: Celery names a thread's callback
queue after the thread's identity, which the next thread may get (docs/celery-as-it-comes.md).
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from ladder.adapter import BlockingClient

THREADS = 32
"""Calls at a time, at the most."""


class ThreadedClient(BlockingClient):
    """Gives a client that can only wait a `submit`, with as many calls at a time as there are threads."""

    _app: Any  # Celery's application

    def open(self) -> None:
        """Start the threads: daemons, as a program's end must not wait for a call that never returns."""
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        for _ in range(THREADS):
            threading.Thread(target=self._work, daemon=True).start()

    def submit(self, n: int, *, timeout: float | None = None) -> "Future[int]":
        """Have one of the threads call."""
        future: Future[int] = Future()

        def job() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(self.call(n, timeout=timeout))
                except BaseException as error:
                    future.set_exception(error)

        self._jobs.put(job)
        return future

    def close(self) -> None:
        """Let the threads end."""
        for _ in range(THREADS):
            self._jobs.put(None)

    def _work(self) -> None:
        while job := self._jobs.get():
            job()
        with suppress(Exception):  # it has received nothing, or the broker has gone
            self._app.backend.result_consumer.stop()
