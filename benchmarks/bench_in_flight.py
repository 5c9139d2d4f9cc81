"""How many calls a second? One client keeps a window of calls in flight; every answer is checked.

A window of w means that never more than w calls are unanswered. The time runs from the first request to the last
answer.
"""

import pytest

from benchmarks.conftest import Effort, Publish
from benchmarks.measure import Sample, time_window
from benchmarks.programs import BARE, TITLES, Client

BESIDE = ("baseline", "first", "peers", "bare")
PASSES = 1.5
QUICK = {"window": {1, 10, 100}, "prefetch": {20}}
SOME = (1, 10, 100)


def left_out(program: str, prefetch: int, window: int) -> bool:
    """Leave combinations out: the whole curve is for a prefetch of 20, and not for the layers alone."""
    if program in BARE.values() and prefetch == 1:
        return True  # Celery's solo pool stalls there, a second at a time
    return window not in SOME and (prefetch == 1 or program in TITLES)


def take(client: Client, effort: Effort, program: str, prefetch: int, window: int) -> Sample:
    """Take one slot."""
    return time_window(client.call_many, window, 0.8 * effort.seconds)


@pytest.mark.parametrize("prefetch", [1, 20])
@pytest.mark.parametrize("window", [1, 3, 10, 30, 100, 300, 1000])
def test_in_flight(program: str, prefetch: int, window: int, publish: Publish) -> None:
    """The time per call, which is one over the calls per second."""
    publish()
