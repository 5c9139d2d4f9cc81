"""Where a server computes: in the thread that reads its connection, or in threads of its own.

To hand a request to another thread and take its reply back costs 0.02 to 0.05 ms of a call's 0.6. So with a
concurrency of 1 the main thread computes what it has read, and `KeepAlive` looks after the connection meanwhile
(C16). With more, `Workers` compute, and the main thread only reads.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from rpc_core.limits import KEEP_ALIVE_INTERVAL

Job = TypeVar("Job")


class Workers(Generic[Job]):
    """Runs queued jobs in order, up to `concurrency` at a time. `run` must not raise."""

    def __init__(self, run: Callable[[Job], None], concurrency: int) -> None:
        self._run = run
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        # not a ThreadPoolExecutor: its futures, which nobody waits for here, cost a call 0.06 ms more
        self._threads = [
            threading.Thread(target=self._work, name=f"rpc-worker-{number}", daemon=True)
            for number in range(concurrency)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, job: Job) -> None:
        """Have a job run when a thread is free."""
        self._queue.put(job)

    def drain_unstarted(self) -> list[Job]:
        """Take back the jobs that no thread has started."""
        unstarted = []
        with suppress(Empty):
            while True:
                if (job := self._queue.get_nowait()) is not None:
                    unstarted.append(job)
        return unstarted

    def close(self) -> None:
        """Wait until all jobs are done, and end the threads."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            self._run(job)


def start_threads(executor: ThreadPoolExecutor, concurrency: int) -> None:
    """Have an executor start all its threads now; else `submit` raises later, where none can be started (C18).

    Raises:
        RuntimeError: the system has not so many threads.
    """
    all_there = threading.Barrier(concurrency)
    try:
        for _ in range(concurrency):
            executor.submit(all_there.wait)  # until then each keeps a thread
    except RuntimeError:
        all_there.abort()
        raise


class KeepAlive:
    """Calls `service_connection` now and then while the main thread computes; sleeps when that is idle."""

    def __init__(self, service_connection: Callable[[], None]) -> None:
        self._service_connection = service_connection
        self._computing = False
        self._was_used = False
        self._asleep = False
        self._used = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._watch, name="rpc-keep-alive", daemon=True)
        self._thread.start()

    def __enter__(self) -> None:
        """The main thread begins to compute."""
        self._computing = self._was_used = True
        if self._asleep:
            self._used.set()

    def __exit__(self, *_: object) -> None:
        """It has ended."""
        self._computing = False

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._used.set()
        self._thread.join()

    def _watch(self) -> None:
        pause = threading.Event()
        while not self._closed:
            if self._computing:
                self._service_connection()
            elif not self._was_used:
                self._used.clear()
                self._asleep = True
                # once more: it may have begun before it saw that this sleeps
                if not self._was_used:
                    self._used.wait()
                self._asleep = False
            self._was_used = False
            pause.wait(KEEP_ALIVE_INTERVAL)
