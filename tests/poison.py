"""Functions for `--function` that do what only a test wants."""

import ctypes
import logging
import os
import threading
import time
from pathlib import Path

from harness.functions import kill_process, log_call, logged_calls

NO_THREADS = 2.0  # seconds


def log_and_kill(n: int) -> int:
    """Log the call as `log_call` does, then do as `kill_process` does."""
    return kill_process(log_call(n))


def refuse_thread(thread: threading.Thread) -> None:
    """Take the place of `threading.Thread.start` where the system has no more threads."""
    raise RuntimeError("can't start new thread")


def wait_for_own_file(n: int) -> int:
    """Log the call as `log_call` does, then wait until the file named by $RPC_GATE and n exists, and return n."""
    log_call(n)
    while not Path(f"{os.environ['RPC_GATE']}{n}").exists():
        time.sleep(0.02)
    return n


TOGETHER = 8
_all_there = threading.Barrier(TOGETHER)


def end_together(n: int) -> int:
    """Wait until `TOGETHER` jobs are being computed, and return n; so all of them end at once."""
    _all_there.wait()
    return n


def take_threads(n: int) -> int:
    """Let no thread be started in this process for `NO_THREADS` seconds, as at a limit on processes."""
    start, until = threading.Thread.start, time.monotonic() + NO_THREADS

    def start_later(thread: threading.Thread) -> None:
        (refuse_thread if time.monotonic() < until else start)(thread)

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


class InvalidRequest(Exception):
    """An exception of the function's own, which happens to be called as one of the contract's is."""


def raises_invalid_request_of_its_own(n: int) -> int:
    """Raise it, with the message "mine n"."""
    raise InvalidRequest(f"mine {n}")


def raises_long(n: int) -> int:
    """Raise LookupError with a message of n characters."""
    raise LookupError("ä" * n)


def power_of_ten(n: int) -> int:
    """Return a number with n + 1 digits."""
    return int(10**n)


def slow_twice(n: int) -> int:
    """Log the call as `log_call` does; take 2.5 seconds, the first two times that n is asked for; return n."""
    log_call(n)
    if logged_calls(Path(os.environ["RPC_CALL_LOG"])).count(n) <= 2:
        time.sleep(2.5)
    return n


def holds_the_lock(n: int) -> int:
    """Hold the interpreter lock for n seconds, the first time that n is asked for; return n."""
    log_call(n)
    if logged_calls(Path(os.environ["RPC_CALL_LOG"])).count(n) == 1:
        ctypes.PyDLL(None).sleep(n)  # unlike a CDLL it keeps the lock
    return n
