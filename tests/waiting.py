"""Wait for what a broker or another process does: a condition with a deadline, never a fixed pause."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil

from contract import RpcClient, RpcServerUnavailable


def wait_until(condition: Callable[[], object], what: str, timeout: float = 15.0) -> None:
    """Return once the condition holds.

    Raises:
        AssertionError: it did not within `timeout` seconds; the message says what was waited for.
    """
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"after {timeout} s still not: {what}"
        pause.wait(0.02)


def messages_ready(channel: Any, queue: str) -> int:
    """Return how many messages are ready in a queue."""
    return int(channel.queue_declare(queue, passive=True).method.message_count)


def idle(seconds: float) -> None:
    """Let time pass where nothing happening is what is tested."""
    threading.Event().wait(seconds)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Let a process stand still. On a busy machine it goes on for a while after the signal."""
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, "it to stop")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def wait_until_no_more(
    count: Callable[[], dict[str, int]], before: dict[str, int], timeout: float = 15.0
) -> None:
    """Wait until there is no more of anything than before.

    There may be less: what came before may not have ended, or a client that asks who serves (C6) may have been
    at it, when `before` was taken.
    """

    def none_grew() -> bool:
        now = count()
        return all(now[what] <= before[what] for what in before)

    wait_until(none_grew, f"no more than {before}", timeout)


def take_request(client: RpcClient, channel: Any, queue: str) -> Any:
    """Return method, properties and body of the client's next request, once it is in the queue."""
    taken: list[Any] = []

    def arrived() -> bool:
        taken[:] = channel.basic_get(queue)
        return taken[0] is not None

    wait_until(lambda: client.stats.sent >= 1, "the request to be sent")
    wait_until(arrived, "the request to be in the queue")
    return taken


def call_until_served(client: RpcClient, n: int) -> int:
    """Return the answer to a `fail_fast` call; for one alone a busy machine may connect, or count, too slowly."""
    answers: list[int] = []

    def answered() -> bool:
        with suppress(RpcServerUnavailable):
            answers.append(client.call(n, timeout=20))
        return bool(answers)

    wait_until(answered, "an answer")
    return answers[0]
