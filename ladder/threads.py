"""Celery's clients for the suite: `submit` hands a call to one of 32 threads, as an application may have several.

The threads last as long as the client. With a thread for each call replies would be lost
(docs/celery-as-it-comes.md).
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from ladder.adapter import BlockingClient

THREADS = 32
"""Calls at a time, at the most."""


class ThreadedClient(BlockingClient):
    """Gives a client that can only wait a `submit`. A call's time begins when a thread takes it."""

    _app: Any  # Celery's application

    def open(self) -> None:
        """Start the threads: daemons, as a program's end must not wait for a call that never returns."""
        super().open()
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(THREADS)]
        for thread in self._threads:
            thread.start()

    def submit(self, n: int, *, timeout: float | None = None) -> "Future[int]":
        """Have one of the threads call."""
        future: Future[int] = Future()

        def job() -> None:
            with suppress(InvalidStateError):  # cancelled meanwhile
                try:
                    answer = self.call(n, timeout=timeout)
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(answer)

        self._jobs.put(job)
        return future

    def close(self) -> None:
        """Let the threads end; for one that is in a call wait no longer than a second."""
        for _ in self._threads:
            self._jobs.put(None)
        deadline = time.monotonic() + 1
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        super().close()

    def stop_consuming(self) -> None:
        """Close the connection from which this thread has read replies, if it has."""
        with suppress(Exception):  # it has not; or the broker has gone
            self._app.backend.result_consumer.stop()

    def _work(self) -> None:
        worked = False
        while job := self._jobs.get():
            job()
            worked = True
        if worked:
            self.stop_consuming()
