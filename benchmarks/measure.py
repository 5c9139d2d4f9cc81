"""How times are taken and compared. All times are in seconds.

A run is a number of passes. In each pass every program gets one slot, in the order A B C, C B A, A B C ..., so
that a drift of the machine falls on all alike. A program's figure is the median over its passes; with it stands
the interquartile range. Ratios are formed within each pass.
"""

import bisect
import gc
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import psutil

from contract import fib

SHARES = [i / 100 for i in range(0, 101, 2)]
"""The quantiles that are saved of every distribution, for its picture."""
KINDS = 16
"""How many different numbers are asked for when calls are in flight together: a reply that goes astray shows."""


class WrongAnswer(AssertionError):
    """A server returned a wrong result. Whatever time that took is no figure."""


class Invalid(NamedTuple):
    """What stands in place of a program's figures when one of its calls failed or was answered wrongly."""

    reason: str


@dataclass(frozen=True)
class Sample:
    """What one slot of one program gave."""

    times: list[float]
    """Seconds of each call; for calls in flight together, one value: the slot's time by its calls."""
    calls: int = 1
    cpu: dict[str, float] = field(default_factory=dict)
    """Seconds of processor time in this slot, of `client`, `server` and, where it is ours, `broker`."""
    share: float | None = None
    """The share of the calls that the server answered which had the fewest, where that was asked."""
    memory: dict[str, int] = field(default_factory=dict)
    """Bytes of resident memory, where that was asked."""


@dataclass(frozen=True)
class Measured:
    """All slots of one program."""

    samples: list[Sample]

    @property
    def times(self) -> list[float]:
        """All timings, pass by pass."""
        return [each for sample in self.samples for each in sample.times]

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """Return quantiles of all timings, in which each pass weighs the same: a slower one has fewer of them."""
        weighted = sorted((time, 1 / len(s.times)) for s in self.samples for time in s.times)
        reached = list(itertools.accumulate(weight for _, weight in weighted))
        places = (bisect.bisect_left(reached, share * len(self.samples)) for share in shares)
        return [weighted[min(place, len(weighted) - 1)][0] for place in places]

    @property
    def calls(self) -> int:
        """How many answers were checked."""
        return sum(sample.calls for sample in self.samples)

    @property
    def passes(self) -> list[float]:
        """The median of each pass."""
        return [statistics.median(sample.times) for sample in self.samples]

    def info(self) -> dict[str, Any]:
        """Return what is saved of a program beside pytest-benchmark's own statistics: seconds per call, bytes."""
        p95, p99 = self.quantiles([0.95, 0.99])
        several = len(self.times) > len(SHARES)
        first, calls = self.samples[0], self.calls
        return {
            "calls": calls,
            "passes": self.passes,
            "p95": p95,
            "p99": p99,
            "quantiles": self.quantiles(SHARES) if several else [],
            "cpu_per_call": {
                who: sum(s.cpu[who] for s in self.samples) / calls for who in first.cpu
            },
            "smallest_shares": [s.share for s in self.samples if s.share is not None],
            "memory": {
                who: statistics.median(s.memory[who] for s in self.samples) for who in first.memory
            },
        }


class Quartiles(NamedTuple):
    """A median with its interquartile range."""

    low: float
    median: float
    high: float


class Ratio(NamedTuple):
    """One program's figure over another's, and whether the two can be told apart."""

    quartiles: Quartiles
    above: int
    """In how many of the passes the ratio was above 1."""
    passes: int
    overlap: bool
    """Whether the interquartile ranges of the two figures overlap."""

    @property
    def agreed(self) -> bool:
        """Whether the passes agree on which is larger, all but one in ten."""
        return min(self.above, self.passes - self.above) <= self.passes // 10

    @property
    def differs(self) -> bool:
        """Whether the passes agree *and* the ranges do not overlap.

        For two equal programs the first alone has a chance of 1 in 50 at ten passes.
        """
        return self.agreed and not self.overlap


def quartiles(values: Sequence[float]) -> Quartiles:
    """Return the median and the interquartile range, interpolated between neighbours."""
    if len(values) == 1:
        return Quartiles(values[0], values[0], values[0])
    return Quartiles(*statistics.quantiles(values, method="inclusive"))


def ratio(passes: Sequence[float], base: Sequence[float]) -> Ratio:
    """Compare two programs that were measured in turn."""
    quotients = [a / b for a, b in zip(passes, base, strict=True)]
    mine, other = quartiles(passes), quartiles(base)
    return Ratio(
        quartiles(quotients),
        sum(each > 1 for each in quotients),
        len(quotients),
        mine.low <= other.high and other.low <= mine.high,
    )


def interleave(
    slots: Mapping[str, Callable[[], Sample]],
    passes: int,
    progress: Callable[[str], None] = lambda text: None,
) -> dict[str, Measured | Invalid]:
    """Measure all programs in turn; one that fails is invalid from then on, and the others go on."""
    order = list(slots)
    samples: dict[str, list[Sample]] = {key: [] for key in order}
    invalid: dict[str, Invalid] = {}
    gc.collect()
    gc.freeze()  # the collector must not search, in one program's slot, what the others hold
    try:
        for number in range(passes):
            progress(f"pass {number + 1} of {passes}")
            for key in order if number % 2 == 0 else reversed(order):
                if key in invalid:
                    continue
                try:
                    samples[key].append(slots[key]())
                except Exception as error:
                    invalid[key] = Invalid(f"{type(error).__name__}: {error}".splitlines()[0])
    finally:
        gc.unfreeze()
    return {key: invalid.get(key) or Measured(samples[key]) for key in order}


# -- slots ------------------------------------------------------------------------------------------------


def time_calls(call: Callable[[int], int], n: int, seconds: float, at_least: int = 1) -> Sample:
    """Time call after call, for so many seconds."""
    answers: list[int] = []
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < at_least or time.perf_counter() < end:
        began = time.perf_counter()
        answer = call(n)
        times.append(time.perf_counter() - began)
        answers.append(answer)
    check(answers, [fib(n)] * len(answers))
    return Sample(times, len(times))


def warm_up(call: Callable[[int], int], calls: int = 3) -> None:
    """Make a client and its server ready: they have been idle while the others were measured."""
    check([call(30) for _ in range(calls)], [fib(30)] * calls)


def time_window(
    call_many: Callable[[Iterator[int], int], list[int]],
    window: int,
    seconds: float,
    at_least: int | None = None,
) -> Sample:
    """Time calls in flight together: new ones follow for so many seconds, and the last answer ends it."""
    began = time.perf_counter()
    answers = call_many(numbers(seconds, at_least or window), window)
    elapsed = time.perf_counter() - began
    check(answers, [fib(i % KINDS) for i in range(len(answers))])
    return Sample([elapsed / len(answers)], len(answers))


def numbers(seconds: float, at_least: int) -> Iterator[int]:
    """Yield what to ask for, until the time is over."""
    end = time.perf_counter() + seconds
    for i in itertools.count():
        if i >= at_least and time.perf_counter() > end:
            return
        yield i % KINDS


def check(answers: Sequence[int], expected: Sequence[int]) -> None:
    """Compare every answer with the truth.

    Raises:
        WrongAnswer: one of them is wrong.
    """
    for answer, right in zip(answers, expected, strict=True):
        if type(answer) is not int or answer != right:
            raise WrongAnswer(f"expected {right}, got {answer!r:.40}")


# -- processor time ---------------------------------------------------------------------------------------


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used, all its threads together."""
    try:
        # Linux: the clock that pthread_getcpuclockid() would name, to the nanosecond; psutil's has 10 ms
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        used = psutil.Process(pid).cpu_times()
        return float(used.user + used.system)


def with_cpu(slot: Callable[[], Sample], pids: Mapping[str, Sequence[int]]) -> Sample:
    """Run a slot and add the processor time that these processes used meanwhile."""

    def used() -> dict[str, float]:
        return {name: sum(map(cpu_seconds, each)) for name, each in pids.items()}

    before = used()
    sample = slot()
    after = used()
    return replace(sample, cpu={name: after[name] - before[name] for name in pids})
