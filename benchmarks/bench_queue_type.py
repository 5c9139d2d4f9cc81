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
from benchmarks.results import Question
from benchmarks.rig import Rig, Setting
from harness.cluster import Cluster

QUESTION = Question.QUEUE_TYPE
BESIDE = ("baseline",)
PASSES = 0.5
QUICK = {"nodes": {1}}
QUEUES = [("classic", 1), ("quorum", 1), ("quorum", 3)]
"""The type of the request queue, and on how many nodes: a classic queue is on one anyway."""
if "AMQP_URL" in os.environ:
    QUEUES.pop()  # a cluster is always our own


def setting(program: str, queue_type: str, nodes: int, window: int) -> Setting:
    """Return the server to measure."""
    return Setting(program, prefetch=1 if window == 1 else 20, queue_type=queue_type)


def take(client: Client, effort: Effort, window: int) -> Sample:
    """Take one slot."""
    if window == 1:
        return time_calls(client.call, 0, effort.seconds, effort.calls)
    return time_window(client.call_many, window, effort.seconds)


def slots(rig: Rig, cases: Cases, effort: Effort, stack: ExitStack) -> Slots:
    """Return what takes one slot of each, on the run's broker or on a cluster."""
    rigs = {1: rig}
    if any(params["nodes"] > 1 for params in cases.values()):
        rigs[3] = stack.enter_context(Rig(stack.enter_context(Cluster())))
    found: Slots = {}
    for nodes, where in rigs.items():
        settings = {i: setting(**p) for i, p in cases.items() if p["nodes"] == nodes}
        found |= where.slots(settings, lambda id_, c: take(c, effort, cases[id_]["window"]), stack)
    return {id_: found[id_] for id_ in cases}


@pytest.mark.parametrize("window", [1, 100])
@pytest.mark.parametrize(("queue_type", "nodes"), QUEUES)
def test_queue_type(
    program: str, queue_type: str, nodes: int, window: int, publish: Publish
) -> None:
    """The time per call."""
    publish()
