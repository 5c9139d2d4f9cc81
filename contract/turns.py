"""Who reads a client's connection: a thread of the client's own, or a caller that waits for its reply (C3).

Whoever waits may as well read. A caller that leaves this to another thread has to be woken by it, which takes
longer than to read the reply. This is the leader/followers pattern, with one standing follower.
"""

import signal
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from types import CodeType

from contract.pending import PendingCalls

PAUSE = 0.05  # seconds without a call, after which the client's own thread reads again

READER_PATIENCE = 0.02
"""Seconds that whoever reads waits for the lock of a connection, and leaves the rest to the next turn.

C4: another's write that is stuck must not hold up a caller that reads."""


class Turns:
    """Lets one thread at a time read a connection.

    `turn` reads once: it waits until something arrives, and handles it. `interrupt` ends that wait; any thread
    may call it. The client's own thread has each turn that no caller takes.
    """

    def __init__(
        self, pending: PendingCalls, turn: Callable[[], None], interrupt: Callable[[], None]
    ) -> None:
        self._pending = pending
        self._turn = turn
        self._interrupt = interrupt
        self._lock = threading.RLock()  # held by the thread that reads
        self._reader: int | None = None  # that thread's identity, where it is a caller's
        self._own: int | None = None  # the identity of the client's own
        self._asked = False  # a caller would have read
        self._needed = Flag()  # the client's own thread has to read
        self._needed.set()
        self._error: Exception | None = None  # what ended a caller's turn
        self._ended = False

    # -- in a caller's thread ------------------------------------------------------------------------

    def read_until_done(self, future: "Future[int]") -> bool:
        """Read for a call that was just made until it is done, or the client's own thread has to.

        Returns False if it has not read at all.
        """
        me = threading.get_ident()
        if me in (self._own, self._reader):  # in a callback of a turn's: nobody reads till it ends
            return False
        if threading.current_thread() is self._pending.watcher:  # which has deadlines to watch
            self.read_in_background()
            return False
        try:  # before the lock is taken: Ctrl-C may come right after
            if self._needed.is_set() or not self._lock.acquire(blocking=False):
                self._asked = True
                self._needed.set()
                return False
            self._reader = me
            future.add_done_callback(self._on_done)
            # when others submit, the client's own thread takes over: their callbacks are not for this one
            while not (future.done() or self._needed.is_set()):
                self._turn()
        except BaseException as error:
            if self._reader != me or was_waiting(error):
                raise
            # in the middle of things: the connection cannot be used any more
            self._error = ConnectionAbortedError(f"reading was ended by {error!r}")
            self._needed.set()
            if not isinstance(error, Exception) or is_from_handler(error):
                raise
            self._error = error
        finally:  # which calls no function of Python's before the lock is released: Ctrl-C might end it
            if self._reader == me:
                self._reader = None
            try:  # noqa: SIM105
                self._lock.release()
            except RuntimeError:  # it is another thread's
                pass
        return True

    def read_in_background(self) -> None:
        """Have the client's own thread read the reply to a call that was just made."""
        self._needed.set()
        if self._reader is not None:
            self._interrupt()

    def end(self) -> None:
        """Let no caller read from now on."""
        self._ended = True
        self._needed.set()

    def join(self, *threads: threading.Thread | None) -> None:
        """Wait until the client's threads end, but not in one of them, nor in a turn: callbacks may close."""
        if threading.current_thread() not in threads and not self._mine():
            for thread in filter(None, threads):
                thread.join()

    def _mine(self) -> bool:
        return self._reader == threading.get_ident()

    def _on_done(self, _future: "Future[int]") -> None:
        if not self._mine():  # its deadline, cancel() or close() ended the call
            self._interrupt()

    # -- in the client's own thread ------------------------------------------------------------------

    def begin(self) -> None:
        """Take the turn, before anything else."""
        self._own = threading.get_ident()
        self._lock.acquire()

    def read(self) -> None:
        """Take one turn; and then let callers take theirs, if that is wanted and no reply is awaited.

        Raises:
            Exception: what a turn raised, in this thread or in a caller's.
        """
        self._turn()
        self._needed.clear()
        if self._asked and not self._pending.in_flight and not self._ended:
            self._asked = False
            self._lock.release()
            self._needed.wait(PAUSE)
            self._lock.acquire()
            if self._error is not None:
                error, self._error = self._error, None
                raise error


class Flag:
    """A `threading.Event` that Ctrl-C cannot break: that one holds a lock while it runs Python code."""

    def __init__(self) -> None:
        self._unset = threading.Lock()
        self._unset.acquire()

    def is_set(self) -> bool:
        """Whether it is set."""
        return not self._unset.locked()

    def set(self) -> None:
        """Set it."""
        with suppress(RuntimeError):  # it was set
            self._unset.release()

    def clear(self) -> None:
        """Unset it."""
        self._unset.acquire(blocking=False)

    def wait(self, timeout: float) -> None:
        """Wait until it is set, for so many seconds."""
        if self._unset.acquire(timeout=timeout):
            self.set()


def run_holding(lock: threading.RLock, action: Callable[[], None], timeout: float) -> None:
    """Run `action` with the lock held, unless it cannot be had within `timeout` seconds. Ctrl-C leaves it free."""
    try:  # before the lock is taken: Ctrl-C may come right after
        if lock.acquire(timeout=timeout):
            action()
    finally:
        try:  # noqa: SIM105, a call of Python's own might be ended by Ctrl-C
            lock.release()
        except RuntimeError:  # it is another thread's
            pass


def is_from_handler(error: BaseException) -> bool:
    """Whether it is Ctrl-C, or what another signal's handler raised."""
    return not isinstance(error, Exception) or handler_frame(error) is not None


def was_waiting(error: BaseException) -> bool:
    """Whether a signal's handler raised this while a turn waited for something to arrive."""
    before = frames(error)[: handler_frame(error)]
    return is_from_handler(error) and before[-1].co_name in ("poll", "select")


def handler_frame(error: BaseException) -> int | None:
    """Return at which of a traceback's frames a signal's handler was called, if one written in Python was."""
    handlers = [
        getattr(signal.getsignal(each), "__code__", None) for each in signal.valid_signals()
    ]
    return next((i for i, code in enumerate(frames(error)) if code in handlers), None)


def frames(error: BaseException) -> list[CodeType]:
    """Return the code of a traceback's frames, outermost first."""
    return [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
