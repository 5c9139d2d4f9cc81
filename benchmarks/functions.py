"""Functions for `--function benchmarks.functions:NAME`: what the servers compute in some of the questions."""

import os
import time
from functools import cache

from contract import fib

PID_UNIT = 100_000
"""`work_20ms` returns the server's process id times this, plus n."""

computed = cache(fib)
"""fib, remembered: the first request for an n computes it, so that what is timed is its way back."""


def work_20ms(n: int) -> int:
    """Take 20 ms and return who worked: the process id in units of `PID_UNIT`, plus n.

    Sleeping, not computing: two cores could not compute four times as much as one server does.
    """
    time.sleep(0.02)
    return os.getpid() * PID_UNIT + n
