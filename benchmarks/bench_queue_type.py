"""What does a replicated queue cost? A classic and a quorum request queue, on one node and on three.

All are durable. A quorum queue writes each request to disk and lets a majority of its nodes agree: on one node
this is the least that it costs. Three nodes share this machine's cores: read their processor time, not their rate.
"""

import os
from contextlib import ExitStack

import pytest

from benchmarks.conftest import Cases, Effort, Publish, Slots
from benchmarks.measure import Sample, time_calls, time_window
from benchmarks.programs import Client
from benchmarks.rig import Rig
from harness.cluster import Cluster

BESIDE = ("baseline",)
PASSES = 0.5
QUICK = {"nodes": {1}}
QUEUES = [("classic", 1), ("quorum", 1), ("quorum", 3)]
"""The type of the request queue, and on how many nodes: a classic queue is on one anyway."""
if "AMQP_URL" in os.environ:
    QUEUES.pop()  # a cluster is always our own


def take(client: Client, effort: Effort, window: int) -> Sample:
    """Take one slot."""
    if window == 1:
        return time_calls(client.call, 0, effort.seconds, effort.calls)
    return time_window(client.call_many, window, effort.seconds)


def slots(rig: Rig, cases: Cases, effort: Effort, stack: ExitStack) -> Slots:
    """Return what takes one slot of each, on the run's broker or on a cluster."""
    rigs = {1: rig}
    if any(case.params["nodes"] > 1 for case in cases.values()):
        rigs[3] = stack.enter_context(Rig(stack.enter_context(Cluster())))
    found: Slots = {}
    for nodes, where in rigs.items():
        settings = {i: case.setting for i, case in cases.items() if case.params["nodes"] == nodes}
        found |= where.slots(
            settings, lambda id_, client: take(client, effort, cases[id_].params["window"]), stack
        )
    return {id_: found[id_] for id_ in cases}


@pytest.mark.parametrize(("window", "prefetch"), [(1, 1), (100, 20)])
@pytest.mark.parametrize(("queue_type", "nodes"), QUEUES)
def test_queue_type(
    program: str, queue_type: str, nodes: int, window: int, prefetch: int, publish: Publish
) -> None:
    """The time per call."""
    publish()
