"""Functions for `--function harness.functions:NAME`: slow ones, and ones that misbehave.

Each takes one int, as the contract asks; those that return no int break it on purpose.
"""

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

POISON = 666


def identity(n: int) -> int:
    """Return n: the least a server can be asked to do."""
    return n


def slow(n: int) -> int:
    """Take n milliseconds and return n."""
    time.sleep(n / 1000)
    return n


def sleep_20ms(n: int) -> int:
    """Take 20 milliseconds and return n."""
    time.sleep(0.02)
    return n


def log_call(n: int) -> int:
    """Append the line "n pid" to the file named by $RPC_CALL_LOG and return n."""
    # One write in append mode: lines of several processes do not mix.
    log = os.open(os.environ["RPC_CALL_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(log, f"{n} {os.getpid()}\n".encode())
    finally:
        os.close(log)
    return n


def logged_calls(log: Path) -> list[int]:
    """Return the arguments that `log_call` wrote to this file, in order; [] without a file."""
    # Only the first column: a process id may be the same number as an argument.
    return [int(line.split()[0]) for line in log.read_text().splitlines()] if log.exists() else []


def slow_logged(n: int) -> int:
    """Log the call as `log_call` does, then take n milliseconds, and return n."""
    return slow(log_call(n))


def wait_for_file(n: int) -> int:
    """Log the call as `log_call` does, then wait until the file named by $RPC_GATE exists, and return n."""
    log_call(n)
    while not Path(os.environ["RPC_GATE"]).exists():
        time.sleep(0.02)
    return n


def raises(n: int) -> int:
    """Raise ValueError("boom n")."""
    raise ValueError(f"boom {n}")


def raises_system_exit(n: int) -> int:
    """Raise SystemExit, which would end a careless server."""
    raise SystemExit(n)


def raises_keyboard_interrupt(n: int) -> int:
    """Raise KeyboardInterrupt, which would end a careless server."""
    raise KeyboardInterrupt(n)


class Unprintable(Exception):
    """An exception whose text cannot be had: to ask for it raises SystemExit."""

    def __str__(self) -> str:
        raise SystemExit


def raises_unprintable(n: int) -> int:
    """Raise an exception that, asked for its text, would end a careless server."""
    raise Unprintable(n)


def wait_to_be_ended(started: Any) -> None:
    """Say that this process has started, and wait."""
    started.set()
    time.sleep(60)


def uses_signals(n: int) -> int:
    """End a child process with SIGTERM, and handle a signal where Python can; return n."""
    context = multiprocessing.get_context("fork")
    started = context.Event()
    child = context.Process(target=wait_to_be_ended, args=[started])
    child.start()
    started.wait(20)
    child.terminate()
    child.join(20)
    if child.exitcode != -signal.SIGTERM:
        child.kill()
        raise RuntimeError(f"the child ended with {child.exitcode}")
    if threading.current_thread() is threading.main_thread():
        handled: list[int] = []
        signal.signal(signal.SIGALRM, lambda number, _: handled.append(number))
        signal.raise_signal(signal.SIGALRM)
        assert handled == [signal.SIGALRM]
    return n


def leaves_child(n: int) -> int:
    """Start a child process by fork that lives on for 40 seconds, and return n."""
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=[40], daemon=True)
    child.start()
    print("CHILD", child.pid, flush=True)
    return n


def leaves_child_then_slow(n: int) -> int:
    """At 1 do as `leaves_child` does; else take n milliseconds. Return n."""
    return leaves_child(n) if n == 1 else slow(n)


def kill_process(n: int) -> int:
    """SIGKILL the process that computes this when n is POISON, else return n."""
    if n == POISON:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    return n


def returns_none(n: int) -> Any:
    """Return None."""
    return None


def returns_text(n: int) -> Any:
    """Return n as text."""
    return str(n)


def too_long(n: int) -> int:
    """Return a number of 5,000 digits, more than Python turns into text (4,300)."""
    return 10**4_999
