"""How times are taken and compared. All times are in seconds.

A run is a number of passes. In each pass every row gets one slot, in the order A B C, C B A, A B C ..., so that
a drift of the machine falls on all rows alike. A row's figure is the median over its passes; its spread is what
the middle half of the passes covers (the quartiles). Ratios are formed within each pass, before averaging.
"""

import gc
import itertools
import statistics
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol, TypeVar

import psutil

from contract import fib

K = TypeVar("K", bound=Hashable)

KINDS = 16
"""How many different numbers are asked for when calls are in flight together: a reply that goes astray shows."""


class WrongAnswer(AssertionError):
    """A server said something else than the truth. Whatever time that took is no figure."""


class Void(NamedTuple):
    """What stands in place of a row's figures when one of its calls failed or was answered wrongly."""

    reason: str


class CallsOne(Protocol):
    """What a row needs to be timed with one call in flight."""

    def call(self, n: int, /) -> int:
        """Return fib(n)."""
        ...


class CallsMany(Protocol):
    """What a row needs to be timed with several calls in flight."""

    def call_many(self, numbers: Iterator[int], window: int, /) -> list[int]:
        """Return fib of each number, with up to `window` requests in flight."""
        ...


@dataclass(frozen=True)
class Sample:
    """What one slot of one row gave."""

    times: list[float]
    """Seconds of each call; for calls in flight together, one value: the slot's time by its calls."""
    calls: int = 1
    cpu: dict[str, float] = field(default_factory=dict)
    """Seconds of processor time in this slot, of `client`, `server` and, where it is ours, `broker`."""
    served: dict[int, int] = field(default_factory=dict)
    """How many of the calls each server answered, by process id, where that was asked."""
    memory: dict[str, int] = field(default_factory=dict)
    """Bytes of resident memory, where that was asked."""


@dataclass(frozen=True)
class Measured:
    """All slots of one row."""

    samples: list[Sample]

    @property
    def times(self) -> list[float]:
        """All timings, pass by pass."""
        return [each for sample in self.samples for each in sample.times]

    def quantile(self, q: float) -> float:
        """Return a quantile of all timings, in which each pass weighs the same: a slower one has fewer of them."""
        weighted = sorted((each, 1 / len(s.times)) for s in self.samples for each in s.times)
        wanted = q * len(self.samples)
        for value, weight in weighted:
            wanted -= weight
            if wanted <= 1e-9:
                return value
        return weighted[-1][0]

    @property
    def calls(self) -> int:
        """How many answers were checked."""
        return sum(sample.calls for sample in self.samples)

    @property
    def passes(self) -> list[float]:
        """The median of each pass."""
        return [statistics.median(sample.times) for sample in self.samples]

    @property
    def smallest_shares(self) -> list[float]:
        """In each pass, the share of the calls (0 to 1) that the server answered which had the fewest."""
        return [min(s.served.values()) / s.calls for s in self.samples if s.served]

    @property
    def memory(self) -> dict[str, float]:
        """Bytes of resident memory, the median of the passes."""
        names = {name for sample in self.samples for name in sample.memory}
        return {
            name: statistics.median(sample.memory[name] for sample in self.samples)
            for name in sorted(names)
        }

    @property
    def cpu_per_call(self) -> dict[str, float]:
        """Seconds of processor time per call, by who spent it."""
        names = {name for sample in self.samples for name in sample.cpu}
        return {
            name: sum(sample.cpu.get(name, 0.0) for sample in self.samples) / self.calls
            for name in sorted(names)
        }


class Spread(NamedTuple):
    """A figure with what the middle half of its passes covers."""

    low: float
    median: float
    high: float

    def overlaps(self, other: "Spread") -> bool:
        """Whether two spreads have a value in common."""
        return self.low <= other.high and other.low <= self.high


class Ratio(NamedTuple):
    """A row's figure over another row's, and whether the two can be told apart at all."""

    spread: Spread
    differs: bool


def spread(values: Sequence[float]) -> Spread:
    """Return the quartiles."""
    return Spread(*(quantile(values, q) for q in (0.25, 0.5, 0.75)))


def quantile(values: Sequence[float], q: float) -> float:
    """Return the value below which a share `q` (0 to 1) of the values lies, interpolated between neighbours."""
    ordered = sorted(values)
    at = q * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def ratio(passes: Sequence[float], base: Sequence[float]) -> Ratio:
    """Compare two rows that were measured in turn.

    They differ when their spreads do not overlap *and* the passes agree on which is larger, all but one in ten:
    for two equal rows the second alone has a chance of 1 in 50 at ten passes. Else the table says "no difference
    measured".
    """
    quotients = [a / b for a, b in zip(passes, base, strict=True)]
    larger = sum(each > 1 for each in quotients)
    agreed = min(larger, len(quotients) - larger) <= len(quotients) // 10
    return Ratio(spread(quotients), agreed and not spread(passes).overlaps(spread(base)))


def interleave(
    slots: Mapping[K, Callable[[], Sample]],
    passes: int,
    progress: Callable[[str], None] = lambda text: None,
) -> dict[K, Measured | Void]:
    """Measure all rows in turn; a row that fails is void from then on, and the others go on."""
    order = list(slots)
    samples: dict[K, list[Sample]] = {key: [] for key in order}
    voids: dict[K, Void] = {}
    gc.collect()
    gc.freeze()  # what the other rows hold is not this row's to search
    try:
        for number in range(passes):
            progress(f"pass {number + 1} of {passes}")
            for key in order if number % 2 == 0 else reversed(order):
                if key in voids:
                    continue
                try:
                    samples[key].append(slots[key]())
                except Exception as error:
                    voids[key] = Void(f"{type(error).__name__}: {error}".splitlines()[0])
    finally:
        gc.unfreeze()
    return {key: voids.get(key) or Measured(samples[key]) for key in order}


def join(stages: Iterable[Mapping[K, Measured | Void]]) -> dict[K, Measured | Void]:
    """Put the samples of several stages together; a row that was void in one of them is void."""
    joined: dict[K, Measured | Void] = {}
    for stage in stages:
        for key, result in stage.items():
            before = joined.get(key, Measured([]))
            if isinstance(before, Measured) and isinstance(result, Measured):
                joined[key] = Measured(before.samples + result.samples)
            elif isinstance(before, Measured):
                joined[key] = result
    return joined


# -- slots ------------------------------------------------------------------------------------------------


def time_calls(client: CallsOne, n: int, seconds: float, at_least: int = 1) -> Sample:
    """Time call after call, for so many seconds."""
    answers: list[int] = []
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < at_least or time.perf_counter() < end:
        began = time.perf_counter()
        answer = client.call(n)
        times.append(time.perf_counter() - began)
        answers.append(answer)
    check(answers, [fib(n)] * len(answers))
    return Sample(times, len(times))


def warm_up(client: CallsOne, calls: int = 3) -> None:
    """Make a row ready: it has been idle while it was the others' turn."""
    check([client.call(30) for _ in range(calls)], [fib(30)] * calls)


def time_window(
    client: CallsMany, window: int, seconds: float, at_least: int | None = None
) -> Sample:
    """Time calls in flight together: new ones follow for so many seconds, and the last answer ends it."""
    began = time.perf_counter()
    answers = client.call_many(numbers(seconds, at_least or window), window)
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
    cpu = {name: after[name] - before[name] for name in pids}
    return replace(sample, cpu=cpu)
