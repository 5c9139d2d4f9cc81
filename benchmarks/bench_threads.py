"""May threads share a client? Threads call through one client at once; every answer is checked."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from benchmarks.conftest import Effort, Publish
from benchmarks.measure import KINDS, Sample, time_calls
from benchmarks.programs import Client

BESIDE = ()  # no other client here can be shared
SERVER = {"prefetch": 20}
PASSES = 0.6
QUICK = {"threads": {1, 8}}


def take(client: Client, effort: Effort, program: str, threads: int) -> Sample:
    """Time as many callers as there are threads; each makes one call after the other."""
    ready = Barrier(threads + 1)

    def caller(number: int) -> tuple[int, float]:
        ready.wait()
        calls = time_calls(client.call, number % KINDS, effort.seconds).calls
        return calls, time.perf_counter()

    with ThreadPoolExecutor(threads) as pool:
        callers = [pool.submit(caller, number) for number in range(threads)]
        ready.wait()
        began = time.perf_counter()
    calls, ended = zip(*(each.result() for each in callers), strict=True)
    return Sample([(max(ended) - began) / sum(calls)], sum(calls))


@pytest.mark.parametrize("threads", [1, 2, 4, 8, 16, 32])
def test_threads(program: str, threads: int, publish: Publish) -> None:
    """The time per call, all threads together: one over the calls per second."""
    publish()
