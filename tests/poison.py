"""A function for `--function` that leaves a trace before it kills its server."""

from harness.functions import kill_process, log_call


def log_and_kill(n: int) -> int:
    """Log the call as `log_call` does, then do as `kill_process` does."""
    return kill_process(log_call(n))
