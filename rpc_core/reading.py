"""Which thread uses a client's connection: its background thread, or a caller that waits for its reply (C3).

To be woken by another thread takes a caller longer than to read its reply itself: 0.06 ms of a call's 0.6. So
the background thread reads; but when no reply is awaited it steps aside, and a caller that calls then uses the
connection itself until its own reply is there (the leader/followers pattern). When anybody else calls meanwhile,
or nobody for a while, the background thread takes over.

How this is done stands here alone. Without `use_until_done` (and a link's `is_waiting`, which is only for it) the
background thread would do everything.
"""

import threading
from collections.abc import Callable
from contextlib import suppress

from rpc_core.limits import STEP_ASIDE
from rpc_core.pending import PendingCall


class Reading:
    """The right to use a connection, which one thread has at a time."""

    def __init__(self) -> None:
        self._right = threading.RLock()  # an RLock knows its owner, see `use_until_done`
        self._caller: int | None = None  # the ident of the caller that has the right
        self._background: int | None = None  # the background thread's
        self._was_used = False  # by a caller, since the background thread last looked
        self._background_must_read = SignalSafeEvent()
        self._background_must_read.set()
        self._error: BaseException | None = None  # what a caller met

    # -- in a caller's thread -----------------------------------------------------------------------

    def use_until_done(
        self,
        call: PendingCall,
        send: Callable[[PendingCall], None],
        read: Callable[[], None],
        is_waiting: Callable[[], bool],
    ) -> bool:
        """Send a call and read until it is done; return False, with nothing sent, if somebody uses the connection.

        It ends earlier when the background thread has to read, or at an error, which that thread then raises: the
        call ends as any other that was sent. What is raised while `read` waits (Ctrl-C, a signal's handler) is the
        caller's own, and harms nothing. Whatever is raised elsewhere may have cut a frame in two, and ends the
        connection.
        """
        me = threading.get_ident()
        if me in (self._caller, self._background):  # a callback, in a thread that is reading
            return False
        sent = False
        self._was_used = True
        try:  # before the lock is taken: Ctrl-C may come right after
            if self._background_must_read.is_set() or not self._right.acquire(blocking=False):
                return False
            self._caller = me
            send(call)
            sent = True
            while not (call.future.done() or self._background_must_read.is_set()):
                read()
        except BaseException as error:
            if self._caller == me and not (sent and is_waiting()):
                self._error = error
                self._background_must_read.set()
                if isinstance(error, Exception):
                    return True  # the call fails with its connection
            raise
        finally:  # no Python function is called before the lock is free: Ctrl-C might end it
            if self._caller == me:
                self._caller = None
            try:  # noqa: SIM105
                self._right.release()
            except RuntimeError:  # it is another thread's
                pass
        return True

    def hand_to_background(self) -> None:
        """Have the background thread use the connection, as soon as whoever uses it stops."""
        self._background_must_read.set()

    def is_mine(self) -> bool:
        """Whether this thread uses the connection: then it is in a callback."""
        return threading.get_ident() in (self._caller, self._background)

    # -- in the background thread -------------------------------------------------------------------

    def begin(self) -> None:
        """Take the right, before anything else."""
        self._background = threading.get_ident()
        self._right.acquire()

    def end(self) -> None:
        """Give it back: the thread ends."""
        self._background = None
        self._right.release()

    def step_aside(self, is_idle: Callable[[], bool]) -> None:
        """Let callers use the connection, if no reply is awaited, until `STEP_ASIDE` has passed without a call.

        Raises:
            ConnectionAbortedError: a caller met an error in mid-frame; the connection is lost.
        """
        self._background_must_read.clear()  # before the look: who calls after it sets this again
        if is_idle():
            self._right.release()
            try:
                self._was_used = True
                while self._was_used and not self._background_must_read.is_set():
                    self._was_used = False
                    self._background_must_read.wait(STEP_ASIDE)
            finally:
                self._right.acquire()
        error, self._error = self._error, None
        if isinstance(error, Exception):
            raise error
        if error is not None:
            raise ConnectionAbortedError(f"reading was ended by {error!r}")


class SignalSafeEvent:
    """An event that Ctrl-C cannot break: `threading.Event` runs Python code while it holds its lock.

    One thread waits, and only that one may clear it.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._waiting = threading.Lock()  # is free if the next wait need not be long
        self._waiting.acquire()

    def is_set(self) -> bool:
        """Whether it is set."""
        # not whether the lock is free: Python 3.14 hands it over before the woken thread runs
        return self._is_set

    def set(self) -> None:
        """Set it."""
        self._is_set = True
        if self._waiting.locked():
            with suppress(RuntimeError):  # another thread has set it just now
                self._waiting.release()

    def clear(self) -> None:
        """Unset it."""
        self._is_set = False
        self._waiting.acquire(blocking=False)

    def wait(self, timeout: float = -1) -> None:
        """Wait until it is set, for so many seconds; by default for ever. Now and then it ends too early."""
        if not self._is_set:
            self._waiting.acquire(timeout=timeout)
