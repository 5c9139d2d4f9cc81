"""May threads share it? Threads call through one client at once; every answer is checked."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.conftest import Cases, Effort, Progress, Publish, Results
from benchmarks.measure import KINDS, CallsOne, Sample, check
from benchmarks.rig import Rig, Setting
from contract import fib

QUESTION = "May threads share it?"
BESIDE = {"floor": False, "layers": False}  # none of those can be shared
QUICK: dict[str, set[object]] = {"threads": {1, 8}}
PREFETCH = 20


def time_threads(client: CallsOne, threads: int, seconds: float) -> Sample:
    """Time as many callers as there are threads; each makes one call after the other."""
    ready = threading.Barrier(threads + 1)
    ended: list[float] = []

    def caller(number: int) -> int:
        n = number % KINDS
        answers: list[int] = []
        ready.wait()
        end = time.perf_counter() + seconds
        while not answers or time.perf_counter() < end:
            answers.append(client.call(n))
        ended.append(time.perf_counter())
        check(answers, [fib(n)] * len(answers))
        return len(answers)

    with ThreadPoolExecutor(threads) as pool:
        callers = [pool.submit(caller, number) for number in range(threads)]
        ready.wait()
        began = time.perf_counter()
        calls = sum(each.result() for each in callers)
    return Sample([(max(ended) - began) / calls], calls)


@pytest.fixture(scope="module")
def measured(rig: Rig, cases: Cases, effort: Effort, progress: Progress) -> Results:
    """Time callers of every row in turn."""
    return rig.measure(
        {id_: Setting(params["row"], prefetch=PREFETCH) for id_, params in cases.items()},
        lambda id_, client: time_threads(client, cases[id_]["threads"], effort.seconds),
        max(1, effort.passes * 6 // 10),
        progress,
    )


@pytest.mark.parametrize("threads", [1, 2, 4, 8, 16, 32])
def test_threads(row: str, threads: int, publish: Publish, measured: Results) -> None:
    """The time per call, all threads together: one over the calls per second."""
    publish(measured, row=row, threads=threads, prefetch=PREFETCH, queue_type="classic")
