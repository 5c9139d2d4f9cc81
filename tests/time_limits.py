"""Have a run go on and end, whatever the implementation that it tests does.

pytest-timeout's alarm goes off once, and no more after a failure: a `with` block that is being left then, or a
fixture's end, could wait for good. This one goes off again and again, in each part of a test. pytest-timeout's
option and mark hold here all the same; where there is no SIGALRM, its own alarm is left alone.
"""

import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import Any

import psutil
import pytest

from harness import guardian, program
from tests.conformance import backend_of

LIMIT = 60.0
"""Seconds for the set-up and the call of a test on an implementation that is marked with no other `timeout`."""

ENDING = 1 / 4
"""That part of the limit is for what comes after: a `with` block that is left, and each fixture's end."""

LAST_RESORT = 1.0
"""So many times the limit later, a test that no exception gets out of ends its process. `-n` starts another."""

HASTE_AFTER = 3
"""After so many tests that hung, the others on that implementation get less time: else a run takes hours.

`--no-shrinking-limits` leaves them all of it: a test that is only slow is not taken for one that hangs then.
"""

HASTE = 1 / 4
"""That part of their limits."""

GRACE = 1.0
"""Seconds that threads have to end by themselves once all tests have run."""


PARTS = {"set-up": "setup", "test": "call", "tear-down": "teardown"}  # as pytest calls them
THREADS = "other threads"

# These end when this process does: ours that clears away after it, and that of Python's `multiprocessing`.
END_THEMSELVES = (guardian.__file__, "multiprocessing.resource_tracker")


class Overrun(pytest.fail.Exception):  # type: ignore[misc, name-defined]
    """A part of a test has not ended in time. No `except Exception` is meant to see it.

    pytest does: at another BaseException in one fixture's end it would leave out the others' ends.
    """

    def __init__(self, part: str, seconds: float, haste: float = 1.0) -> None:
        hurried = f" (instead of {seconds / haste:g} s, as others have hung)" if haste < 1 else ""
        super().__init__(f"the {part} has not ended after {seconds:g} s{hurried}")
        self.part = part


class TimeLimits:
    """A pytest plugin: each part of a test has its time, and the process ends though threads are left in it."""

    def __init__(self, config: pytest.Config) -> None:
        self._stderr = os.dup(2)  # pytest puts a file into its place
        self._flexible = config.getoption("timeout") is None
        self._shrinking = not config.getoption("--no-shrinking-limits")
        self._item: pytest.Item | None = None
        self._part = ""  # that runs now; between two of them an exception would end the run
        self._limit = self._deadline = 0.0
        self._haste = 1.0
        self._hung: defaultdict[str | None, set[str]] = defaultdict(set)  # tests by implementation
        self._exit_code = 0

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Let a worker die just when pytest-xdist sends it tests, which would end the run.

        The tests are noted as that worker's already: at the news of its death others get them.
        """
        send = node.send_runtest_some

        def send_unless_dead(indices: Sequence[int]) -> None:
            with suppress(OSError):
                send(indices)

        node.send_runtest_some = send_unless_dead

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Give a test on an implementation `LIMIT`, unless a mark or `--timeout` says otherwise."""
        for item in items:
            unlimited = item.get_closest_marker("timeout") or item.get_closest_marker("soak")
            if self._flexible and backend_of(item) and not unlimited:
                item.add_marker(pytest.mark.timeout(LIMIT))

    # -- the alarm ----------------------------------------------------------------------------------

    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> bool | None:
        """Note a test's limit, in place of pytest-timeout's own alarm."""
        if not hasattr(signal, "SIGALRM"):
            return None
        self._item = item
        backend = backend_of(item)
        hurried = self._shrinking and backend and len(self._hung[backend]) >= HASTE_AFTER
        self._haste = HASTE if hurried else 1.0
        self._limit = settings.timeout * self._haste
        self._deadline = time.monotonic() + self._limit
        signal.signal(signal.SIGALRM, self._ring)
        return True

    def pytest_timeout_cancel_timer(self) -> bool | None:
        """Leave the test's end to `_timed`: pytest-timeout would stop at its first failure, too."""
        return True if self._limit else None

    def pytest_enter_pdb(self) -> None:
        """Leave whoever looks for a fault all the time there is."""
        self._disarm()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Generator[None, Any, Any]:
        """Time the fixtures' beginning."""
        return (yield from self._timed("set-up"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Generator[None, Any, Any]:
        """Time the test, with its set-up."""
        return (yield from self._timed("test"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, Any, Any]:
        """Time the fixtures' end, which has time of its own."""
        if self._limit:
            self._deadline = time.monotonic() + self._limit * ENDING
        return (yield from self._timed("tear-down"))

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """Do not count what several tests share, as the broker, into the time of the first."""
        if fixturedef.scope == "function" or not self._part:
            return (yield)
        begun, part = time.monotonic(), self._part
        self._disarm()
        try:
            return (yield)
        finally:
            self._deadline += time.monotonic() - begun
            self._arm(part)

    def _timed(self, part: str) -> Generator[None, Any, Any]:
        if not self._limit:
            return (yield)
        self._arm(part)
        try:
            return (yield)
        finally:
            self._disarm()

    def _arm(self, part: str) -> None:
        left = max(self._deadline - time.monotonic(), 0.001)
        end = left + self._limit * LAST_RESORT
        faulthandler.dump_traceback_later(end, exit=True, file=self._stderr)
        self._part = part
        signal.setitimer(signal.ITIMER_REAL, left, self._limit * ENDING)

    def _disarm(self) -> None:
        self._part = ""
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()

    def _ring(self, *_: object) -> None:
        __tracebackhide__ = True
        if not self._part:
            return
        assert self._item is not None
        self._hung[backend_of(self._item)].add(self._item.nodeid)
        if not any(title == THREADS for _, title, _ in self._item._report_sections):
            self._item.add_report_section(PARTS[self._part], THREADS, stacks())
        seconds = self._limit * (ENDING if self._part == "tear-down" else 1)
        raise Overrun(self._part, seconds, self._haste)

    # -- the end ------------------------------------------------------------------------------------

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Note what the process is to end with."""
        self._exit_code = int(exitstatus)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """End what was left behind: it would keep this process, or whoever reads its output, waiting."""
        for process in psutil.Process().children(recursive=True):
            command = quietly_command(process)
            if command and not any(known in " ".join(command) for known in END_THEMSELVES):
                self._say(f"a process was left behind and is killed: {' '.join(command):.100}")
                process.kill()
        threads = [each for each in threading.enumerate() if keeps_alive(each)]
        deadline = time.monotonic() + GRACE
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        left = [thread.name for thread in threads if thread.is_alive()]
        if left:
            self._say(f"threads were left behind, and are not waited for: {', '.join(left)}")
            sys.stdout.flush()
            os._exit(self._exit_code)
        os.close(self._stderr)

    def _say(self, line: str) -> None:
        os.write(self._stderr, f"{line}\n".encode())


def keeps_alive(thread: threading.Thread) -> bool:
    """Return whether Python would wait for a thread before it ends."""
    return not thread.daemon and thread is not threading.main_thread()


def quietly_command(process: psutil.Process) -> list[str]:
    """Return a process's command line; nothing if it has gone."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def stacks() -> str:
    """Return where each thread but this one is."""
    frames = sys._current_frames()
    found = []
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if frame and thread is not threading.current_thread():
            lines = traceback.format_stack(frame, limit=3)
            if program.__file__ not in lines[-1]:  # it reads a server's output
                found.append(f"{thread.name}\n{''.join(lines)}")
    return "\n".join(found)
