"""How many can I push? One client keeps a window of calls in flight; every answer is checked.

A window of w means that never more than w calls are unanswered. The time runs from the first request to the last
answer.
"""

import pytest

from benchmarks.conftest import Cases, Effort, Progress, Publish, Results
from benchmarks.measure import time_window
from benchmarks.rig import Rig, Setting
from benchmarks.rows import BARE, TITLES

QUESTION = "How many can I push?"
BESIDE = {"floor": True, "layers": True}
QUICK: dict[str, set[object]] = {"window": {1, 10, 100}, "prefetch": {20}}
WINDOWS = (1, 3, 10, 30, 100, 300, 1000)
THREE = (1, 10, 100)


def SKIP(row: str, prefetch: int, window: int) -> bool:  # noqa: N802
    """Leave combinations out: the whole curve is for a prefetch of 20, and not for the layers alone."""
    if row in BARE.values() and prefetch == 1:
        return True  # Celery's solo pool stalls there, a second at a time
    return window not in THREE and (prefetch == 1 or row in TITLES)


@pytest.fixture(scope="module")
def measured(rig: Rig, cases: Cases, effort: Effort, progress: Progress) -> Results:
    """Time windows of calls of every row in turn."""
    return rig.measure(
        {id_: Setting(p["row"], prefetch=p["prefetch"]) for id_, p in cases.items()},
        lambda id_, client: time_window(client, cases[id_]["window"], 0.8 * effort.seconds),
        max(1, effort.passes * 6 // 10),
        progress,
    )


@pytest.mark.parametrize("prefetch", [1, 20])
@pytest.mark.parametrize("window", WINDOWS)
def test_in_flight(
    row: str, prefetch: int, window: int, publish: Publish, measured: Results
) -> None:
    """The time per call, which is one over the calls per second."""
    publish(measured, row=row, prefetch=prefetch, window=window, queue_type="classic")
