"""May threads share a client? Threads call through one client at once; every answer is checked."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from benchmarks.conftest import Effort, Publish
from benchmarks.measure import KINDS, Sample, check
from benchmarks.programs import Client
from benchmarks.results import Question
from contract import fib

QUESTION = Question.THREADS
BESIDE = ()  # no other client here can be shared
SERVER = {"prefetch": 20}
PASSES = 0.6
QUICK = {"threads": {1, 8}}


def take(client: Client, effort: Effort, program: str, threads: int) -> Sample:
    """Time as many callers as there are threads; each makes one call after the other."""
    ready = Barrier(threads + 1)
    ended: list[float] = []

    def caller(number: int) -> int:
        n = number % KINDS
        answers: list[int] = []
        ready.wait()
        end = time.perf_counter() + effort.seconds
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


@pytest.mark.parametrize("threads", [1, 2, 4, 8, 16, 32])
def test_threads(program: str, threads: int, publish: Publish) -> None:
    """The time per call, all threads together: one over the calls per second."""
    publish()
