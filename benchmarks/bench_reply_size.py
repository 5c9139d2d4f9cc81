"""What does the size cost? One call in flight; fib(n) has 1, 209 and 2,090 digits for n = 0, 1,000 and 10,000.

The servers remember what they computed, so that the time is the reply's: turning the number into text, carrying
it, and turning it into a number again.
"""

import pytest

from benchmarks.conftest import Cases, Effort, Progress, Publish, Results
from benchmarks.measure import time_calls
from benchmarks.rig import Rig, Setting
from contract import fib

QUESTION = "What does the size of the reply cost?"
BESIDE = {"floor": True, "layers": False}
QUICK: dict[str, set[object]] = {}
FUNCTION = "benchmarks.functions:computed"


@pytest.fixture(scope="module")
def measured(rig: Rig, cases: Cases, effort: Effort, progress: Progress) -> Results:
    """Time `call(n)` of every row in turn."""
    return rig.measure(
        {id_: Setting(params["row"], function=FUNCTION) for id_, params in cases.items()},
        lambda id_, client: time_calls(client, cases[id_]["n"], effort.seconds / 2, effort.calls),
        effort.passes,
        progress,
    )


@pytest.mark.parametrize("n", [0, 1000, 10_000])
def test_reply_size(row: str, n: int, publish: Publish, measured: Results) -> None:
    """The time from `call` to its answer."""
    publish(
        measured,
        row=row,
        n=n,
        digits=len(str(fib(n))),
        prefetch=1,
        window=1,
        queue_type="classic",
    )
