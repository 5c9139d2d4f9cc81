"""Who reads a client's connection: a thread of the client's own, or a caller that waits for its reply (C3).

Whoever waits may as well read. A caller that leaves this to another thread has to be woken by it, which takes
longer than to read the reply. This is the leader/followers pattern, with one standing follower.
"""

import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future

from contract.pending import PendingCalls

PAUSE = 0.05  # seconds without a call, after which the client's own thread reads again


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
        self._lock = threading.Lock()  # held by the thread that reads
        self._lock.acquire()
        self._reader: int | None = None  # that thread's identity, where it is a caller's
        self._asked = False  # a caller would have read
        self._needed = threading.Event()  # the client's own thread has to read
        self._error: Exception | None = None  # what ended a caller's turn
        self._ended = False

    # -- in a caller's thread ------------------------------------------------------------------------

    def read_until_done(self, future: "Future[int]") -> bool:
        """Read for a call that was just made until it is done, or somebody else reads.

        Returns False if it has not read at all.
        """
        if self._needed.is_set() or not self._lock.acquire(blocking=False):
            self._asked = True
            self._needed.set()
            return False
        self._reader = threading.get_ident()
        future.add_done_callback(self._on_done)
        try:
            # when others submit, the client's own thread takes over: their callbacks are not for this one
            while not (future.done() or self._needed.is_set()):
                self._turn()
        except Exception as error:
            self._hand_over(error)
        except BaseException as error:  # Ctrl-C
            if not was_waiting(error):  # then half a frame may have been read
                self._hand_over(ConnectionAbortedError(f"reading was ended by {error!r}"))
            raise
        finally:
            self._reader = None
            self._lock.release()
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

    def _hand_over(self, error: Exception) -> None:
        self._error = error
        self._needed.set()

    def _mine(self) -> bool:
        return self._reader == threading.get_ident()

    def _on_done(self, _future: "Future[int]") -> None:
        if not self._mine():  # its deadline, cancel() or close() ended the call
            self._interrupt()

    # -- in the client's own thread ------------------------------------------------------------------

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


def was_waiting(error: BaseException) -> bool:
    """Whether an exception from a signal's handler came while a turn waited for something to arrive."""
    [*_, (frame, _)] = traceback.walk_tb(error.__traceback__)
    return frame.f_code.co_name in ("poll", "select")
