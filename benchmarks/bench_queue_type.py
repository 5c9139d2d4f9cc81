"""What does a durable, replicated queue cost? One call in flight, over a classic and over a quorum request queue.

Both are durable. A quorum queue writes each request to disk and lets a majority of its nodes agree, of which a
single broker has one: what is measured is the least that it costs.
"""

import pytest

from benchmarks.conftest import Cases, Effort, Progress, Publish, Results
from benchmarks.measure import time_calls
from benchmarks.rig import Rig, Setting

QUESTION = "What does a replicated queue cost?"
BESIDE = {"floor": True, "layers": False}
QUICK: dict[str, set[object]] = {}


@pytest.fixture(scope="module")
def measured(rig: Rig, cases: Cases, effort: Effort, progress: Progress) -> Results:
    """Time `call(0)` of every row in turn."""
    return rig.measure(
        {id_: Setting(p["row"], queue_type=p["queue_type"]) for id_, p in cases.items()},
        lambda id_, client: time_calls(client, 0, effort.seconds / 2, effort.calls),
        effort.passes,
        progress,
    )


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_queue_type(row: str, queue_type: str, publish: Publish, measured: Results) -> None:
    """The time from `call` to its answer."""
    publish(measured, row=row, queue_type=queue_type, prefetch=1, window=1)
