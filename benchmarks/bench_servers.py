"""Does adding servers help? A function that takes 20 ms, and one to four servers on one queue.

The function's result says which server computed it: the answers themselves tell how evenly the servers shared.
"""

import time
from collections import Counter
from contextlib import ExitStack
from functools import partial

import pytest

from benchmarks.conftest import Cases, Effort, Progress, Publish, Results
from benchmarks.functions import PID_UNIT
from benchmarks.measure import Sample, check, interleave, join
from benchmarks.rig import Crew, Rig, Setting

QUESTION = "Does adding servers help?"
BESIDE = {"floor": True, "layers": False}
QUICK: dict[str, set[object]] = {"servers": {1, 4}}
ONCE: dict[str, set[object]] = {"servers": {1, 2}}
FUNCTION = "benchmarks.functions:work_20ms"
WINDOW = 16
"""Calls in flight: enough that no server waits for the client."""


def time_servers(crew: Crew, servers: int, calls: int) -> Sample:
    """Time so many calls in flight together, and count who answered them."""
    crew.resize(servers)
    crew.client.call_many(iter(range(servers)), WINDOW)
    began = time.perf_counter()
    answers = crew.client.call_many(iter(range(calls)), WINDOW)
    elapsed = time.perf_counter() - began
    check([answer % PID_UNIT for answer in answers], range(calls))
    served = Counter(answer // PID_UNIT for answer in answers)
    if strangers := served.keys() - set(crew.pids):
        raise AssertionError(f"answered by {strangers}, which is none of the servers")
    return Sample([elapsed / calls], calls, served=dict(served))


@pytest.fixture(scope="module")
def measured(rig: Rig, cases: Cases, effort: Effort, progress: Progress) -> Results:
    """Measure while servers are added, and again while they are taken away."""
    counts = sorted({params["servers"] for params in cases.values()})
    calls = max(4, round(100 * effort.seconds))  # a second for 50 of them, on one server
    stages = []
    with ExitStack() as stack:
        crews = {
            row: stack.enter_context(rig.crew(Setting(row, function=FUNCTION)))
            for row in {params["row"]: None for params in cases.values()}
        }
        for servers in [*counts, *reversed(counts)]:
            slots = {
                id_: partial(time_servers, crews[params["row"]], servers, servers * calls)
                for id_, params in cases.items()
                if params["servers"] == servers
            }
            say = partial(_say, progress, servers)
            stages.append(interleave(slots, max(1, effort.passes // 4), say))
    return join(stages)


def _say(progress: Progress, servers: int, text: str) -> None:
    progress(f"{text}, with {servers} of the servers")


@pytest.mark.parametrize("servers", [1, 2, 3, 4])
def test_servers(row: str, servers: int, publish: Publish, measured: Results) -> None:
    """The time per call, which is one over the calls per second; and each server's share of the calls."""
    publish(measured, row=row, servers=servers, prefetch=1, window=WINDOW, queue_type="classic")
