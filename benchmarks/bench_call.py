"""What does a call cost? One call in flight, one server with a prefetch of 1."""

from benchmarks.conftest import Effort, Publish
from benchmarks.measure import Sample, time_calls
from benchmarks.programs import Client
from benchmarks.rig import Rig

BESIDE = ("baseline", "first", "peers", "bare")
PASSES = 2.0


def take(client: Client, effort: Effort, program: str) -> Sample:
    """Take one slot."""
    return time_calls(client.call, 0, effort.seconds, effort.calls)


def test_call(program: str, publish: Publish, rig: Rig) -> None:
    """The time from `call` to its answer."""
    publish(delivery_mode=rig.delivery_mode(program))
