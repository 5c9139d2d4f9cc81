"""Does adding servers and clients help? A function of 20 ms, 1 to 16 servers, 1 to 8 client processes.

The function's result says which server computed it: the answers themselves tell how evenly the servers shared.
It sleeps, since two cores could not compute sixteen times as much as one server does.
"""

import multiprocessing
import time
from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from threading import Barrier

import pytest

from benchmarks.conftest import Cases, Effort, Publish, Slots
from benchmarks.functions import PID_UNIT
from benchmarks.measure import Sample, check
from benchmarks.programs import Client
from benchmarks.rig import Rig, Service

BESIDE = ("baseline",)
SERVER = {"function": "benchmarks.functions:work_20ms"}
PASSES = 0.2  # most of the time goes into starting servers
QUICK = {"servers": {1, 2}}
TOGETHER = [(1, 1), (2, 1), (4, 1), (4, 2), (8, 1), (16, 1), (16, 8)]
"""Servers and their clients: mostly one, which has little to do while the servers sleep."""

Asked = tuple[float, float, list[int]]


def ask(ready: Barrier, program: str, url: str, queue: str, calls: int, window: int) -> Asked:
    """In one of the processes: make calls. Returns when they began and ended, and each answer."""
    with closing(Client(program, url, queue)) as client:
        client.call_many(iter(range(window)), window)
        ready.wait(60)
        began = time.perf_counter()
        answers = client.call_many(iter(range(calls)), window)
        ended = time.perf_counter()
    check([answer % PID_UNIT for answer in answers], range(calls))
    return began, ended, answers


def least_share(served: Counter[int], servers: Sequence[Collection[int]]) -> float:
    """Return the least share of the answers that any server gave.

    `served` counts answers by process id; a server is the ids of its process and of its children.

    Raises:
        AssertionError: there are answers of a process that is none of them.
    """
    counts = [sum(served[pid] for pid in pids) for pids in servers]
    if sum(counts) != served.total():
        raise AssertionError(f"answered by {set(served)}, and the servers are {servers}")
    return min(counts) / served.total()


def slots(rig: Rig, cases: Cases, effort: Effort, stack: ExitStack) -> Slots:
    """Return what takes one slot of each, while servers are added, and again while they are taken away."""
    spawn = multiprocessing.get_context("spawn")  # a fork would share this process's connections
    manager = stack.enter_context(spawn.Manager())
    most = max(clients for _, clients in TOGETHER)
    pool = stack.enter_context(ProcessPoolExecutor(most, spawn))
    services: dict[str, Service] = {}
    for setting in {case.setting for case in cases.values()}:
        service = Service(setting, rig.url)
        services[setting.program] = stack.enter_context(closing(service))

    def take(program: str, servers: int, clients: int) -> Sample:
        """Time calls, two in flight for each server, and count who answered them."""
        service = services[program]
        service.resize(servers)
        window = max(2, 2 * servers // clients)
        calls = max(4, round(100 * effort.seconds))  # a second for 50 of them, on one server
        each = servers * calls // clients
        where = program, rig.url, service.queue
        ready = manager.Barrier(clients)
        futures = [pool.submit(ask, ready, *where, each, window) for _ in range(clients)]
        began, ended, answers = zip(*(future.result() for future in futures), strict=True)
        served = Counter(answer // PID_UNIT for some in answers for answer in some)
        total = clients * each
        share = least_share(served, service.pids)
        return Sample([(max(ended) - min(began)) / total], total, share=share)

    return {
        id_: partial(take, **case.params)
        for id_, case in sorted(cases.items(), key=lambda each: each[1].params["servers"])
    }


@pytest.mark.parametrize(("servers", "clients"), TOGETHER)
def test_scale(program: str, servers: int, clients: int, publish: Publish) -> None:
    """The time per call, which is one over the calls per second; and each server's share of the calls."""
    publish()
