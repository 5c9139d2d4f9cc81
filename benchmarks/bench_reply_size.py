"""What does the size cost? One call in flight; fib(n) has 1, 209 and 2,090 digits for n = 0, 1,000 and 10,000.

The servers remember what they computed, so that the time is the reply's: turning the number into text, carrying
it, and turning it into a number again.
"""

import pytest

from benchmarks.conftest import Effort, Publish
from benchmarks.measure import Sample, time_calls
from benchmarks.programs import Client
from contract import fib

BESIDE = ("baseline",)
SERVER = {"function": "benchmarks.functions:computed"}


def take(client: Client, effort: Effort, program: str, n: int) -> Sample:
    """Take one slot."""
    return time_calls(client.call, n, effort.seconds / 2, effort.calls)


@pytest.mark.parametrize("n", [0, 1000, 10_000])
def test_reply_size(program: str, n: int, publish: Publish) -> None:
    """The time from `call` to its answer."""
    publish(digits=len(str(fib(n))))
