"""What does a call cost? One call in flight, one server with a prefetch of 1."""

import pytest

from benchmarks.conftest import Cases, Effort, Progress, Publish, Results
from benchmarks.measure import time_calls
from benchmarks.rig import Rig, Setting

QUESTION = "What does a call cost?"
BESIDE = {"floor": True, "layers": True}
QUICK: dict[str, set[object]] = {}


@pytest.fixture(scope="module")
def measured(rig: Rig, cases: Cases, effort: Effort, progress: Progress) -> Results:
    """Time `call(0)` of every row in turn."""
    return rig.measure(
        {id_: Setting(params["row"]) for id_, params in cases.items()},
        lambda id_, client: time_calls(client, 0, effort.seconds, effort.calls),
        effort.passes,
        progress,
    )


def test_call(row: str, publish: Publish, measured: Results, rig: Rig) -> None:
    """The time from `call` to its answer."""
    publish(
        measured,
        row=row,
        prefetch=1,
        window=1,
        queue_type="classic",
        delivery_mode=rig.delivery_mode(row),
    )
