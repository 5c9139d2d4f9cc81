"""Functions for `--function` that do harm to their server."""

import logging
import threading
import time

from harness.functions import kill_process, log_call

NO_THREADS = 2.0  # seconds


def log_and_kill(n: int) -> int:
    """Log the call as `log_call` does, then do as `kill_process` does."""
    return kill_process(log_call(n))


def take_threads(n: int) -> int:
    """Let no thread be started in this process for `NO_THREADS` seconds, as at a limit on processes."""
    start, until = threading.Thread.start, time.monotonic() + NO_THREADS

    def start_later(thread: threading.Thread) -> None:
        if time.monotonic() < until:
            raise RuntimeError("can't start new thread")
        start(thread)

    if n == 0:
        threading.Thread.start = start_later  # type: ignore[method-assign, assignment]
    return n


class RaisingHandler(logging.Handler):
    """A logging handler whose disk is full."""

    def emit(self, record: logging.LogRecord) -> None:
        """Fail."""
        raise OSError("no space left")


def break_log(n: int) -> int:
    """Have every line that this process logs raise."""
    if n == 0:
        logging.getLogger().handlers[:] = [RaisingHandler()]
    return n
