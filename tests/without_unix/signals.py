"""A function whose server gets SIGTERM as one on Windows gets Ctrl-C: in a thread that is not the main one."""

import _signal  # type: ignore[import-not-found]  # `signal` has it no longer
import signal
import threading

from harness.functions import wait_for_file


def stop_later(n: int) -> int:
    """Return n; the signal comes once the file $RPC_GATE exists."""
    threading.Thread(target=stop_at_gate, daemon=True).start()
    return n


def stop_at_gate() -> None:
    """Wait for the file, and send the signal to this thread: it interrupts no other's wait."""
    wait_for_file(0)
    _signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
