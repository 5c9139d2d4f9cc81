"""What does a call cost? One in flight, one server with a prefetch of 1; the time until the caller has the answer."""

from collections.abc import Callable
from functools import partial

import pytest

from benchmarks.conftest import Cases, Effort, Progress, Results
from benchmarks.measure import interleave, time_calls
from benchmarks.rig import Rig, Setting
from benchmarks.rows import delivery_mode

QUESTION = "What does a call cost?"
BESIDE = {"floor": True, "first": True}
QUICK: dict[str, set[object]] = {}


@pytest.fixture(scope="module")
def measured(rig: Rig, cases: Cases, effort: Effort, progress: Progress) -> Results:
    """Time calls of every row in turn."""
    settings = {id_: Setting(params["row"]) for id_, params in cases.items()}

    with rig.clients(settings.values()) as client:

        def slot(id_: str) -> object:
            return None

        return interleave(
            {
                id_: partial(_slot, rig, client, setting, effort)
                for id_, setting in settings.items()
            },
            effort.passes,
            progress,
        )
