"""What the questions share: how much effort is made, the rig, progress, and the way into pytest-benchmark.

A question's programs are measured in turn by one fixture, `measured`, which the first of its tests sets up: times
taken test after test would hold the machine's drift besides. Each test then hands its times to pytest-benchmark,
so that its table, JSON, saving and comparing work as ever.

A question's module has its name in `results.Question`, and says what is measured: `BESIDE`, what besides the
implementations; `take`, one slot, or `slots`, all of them; and, where it needs them, `SERVER` (settings of its
servers; a parameter may be one too), `PASSES` (a share of the run's), `QUICK` (the values of parameters to keep to
unless all is to be measured), `left_out` (combinations that are never measured).
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks import environment, report
from benchmarks.measure import SHARES, Invalid, Measured, Sample, interleave
from benchmarks.programs import missing_peers, programs, title
from benchmarks.results import Question, refusal
from benchmarks.rig import Rig, Setting
from conftest import backends
from harness.broker import ExternalBroker, PrivateBroker

Results = Mapping[str, Measured | Invalid]
Progress = Callable[[str], None]
Publish = Callable[..., None]
Slots = dict[str, Callable[[], Sample]]


@dataclass(frozen=True)
class Case:
    """One benchmark: its parameters, and its server."""

    params: Mapping[str, Any]
    setting: Setting


Cases = Mapping[str, Case]


@dataclass(frozen=True)
class Effort:
    """How long to measure: `--benchmark`, `--benchmark-quick`, or as a plain test, once."""

    name: str
    passes: int
    seconds: float
    calls: int  # in a slot, at the least


FULL = Effort("full", passes=10, seconds=0.2, calls=5)
QUICK = Effort("quick", passes=5, seconds=0.06, calls=3)
ONCE = Effort("once", passes=1, seconds=0.0, calls=1)


def effort_of(config: pytest.Config) -> Effort:
    """Return what the command line asks for."""
    if config.getoption("benchmark_disable") and not config.getoption("benchmark_enable"):
        return ONCE
    return QUICK if config.getoption("--benchmark-quick") else FULL


readings: deque[float] = deque()
"""Times taken before, each after a 0."""


def replayed() -> float:
    """Tell the next reading: pytest-benchmark's timer, which it reads before and after each round."""
    return readings.popleft()


# -- which tests there are -----------------------------------------------------------------------------


def question(module: Any) -> Question:
    """Return what a module's benchmarks ask: `bench_call.py` is for `Question.CALL`."""
    return Question[Path(module.__file__).stem.removeprefix("bench_").upper()]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a benchmark for each implementation, and for what its module wants beside them."""
    beside = getattr(metafunc.module, "BESIDE", None)
    if beside is not None and "program" in metafunc.fixturenames:
        metafunc.parametrize("program", programs(backends(metafunc.config), beside))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Group by question, and deselect what the effort does not reach; refuse to publish a disturbed run."""
    effort = effort_of(config)
    reason = refusal(environment.LOAD_BEFORE)
    if reason and config.getoption("--benchmark-publish"):
        raise pytest.UsageError(reason)
    deselected = []
    for item in items:
        if not isinstance(item, pytest.Function) or "publish" not in item.fixturenames:
            continue
        module: Any = item.module
        item.add_marker(pytest.mark.benchmark(group=question(module), timer=replayed))
        only = {} if effort is FULL else getattr(module, "QUICK", {})
        params = item.callspec.params
        never = getattr(module, "left_out", lambda **_: False)
        if never(**params) or any(params[name] not in only[name] for name in only):
            deselected.append(item)
    items[:] = [item for item in items if item not in deselected]
    config.hook.pytest_deselected(items=deselected)


# -- fixtures ------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def effort(request: pytest.FixtureRequest) -> Effort:
    """How long to measure."""
    return effort_of(request.config)


@pytest.fixture(scope="session")
def rig(broker: PrivateBroker | ExternalBroker, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """The servers of the run, which begins with them."""
    request.config.stash[RECORD] = {"environment": environment.describe(broker), "invalid": []}
    request.config.stash[STARTED] = time.monotonic()
    with Rig(broker) as rig:
        yield rig


@pytest.fixture(scope="module")
def cases(request: pytest.FixtureRequest) -> Cases:
    """Every benchmark of this module that will run, by its id."""
    server = getattr(request.module, "SERVER", {})
    found = {}
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.path == request.path:
            params = item.callspec.params
            among = {name: params[name] for name in Setting.__annotations__ if name in params}
            found[item.callspec.id] = Case(params, Setting(**server | among))
    return found


@pytest.fixture(scope="module")
def progress(request: pytest.FixtureRequest, rig: Rig, effort: Effort) -> Progress:
    """Say on the terminal what is being measured."""
    reporter: Any = request.config.pluginmanager.get_plugin("terminalreporter")
    capture: Any = request.config.pluginmanager.get_plugin("capturemanager")

    def say(text: str) -> None:
        seconds = time.monotonic() - request.config.stash[STARTED]
        line = f"{seconds:4.0f} s  {question(request.module)}  {text}"
        with capture.global_and_fixture_disabled():
            if reporter.isatty:
                reporter.write(f"\r{line:<79}", flush=True)
            elif text.startswith("pass 1 "):
                reporter.write(f"\n{line} ", flush=True)

    return say if reporter and effort is not ONCE else lambda _: None


@pytest.fixture(scope="module")
def measured(
    request: pytest.FixtureRequest, rig: Rig, cases: Cases, effort: Effort, progress: Progress
) -> Results:
    """Measure all programs of a question in turn."""
    module = request.module
    with ExitStack() as stack:
        if hasattr(module, "slots"):
            slots = module.slots(rig, cases, effort, stack)
        else:
            settings = {id_: case.setting for id_, case in cases.items()}
            slots = rig.slots(
                settings, lambda id_, c: module.take(c, effort, **cases[id_].params), stack
            )
        passes = max(1, round(effort.passes * getattr(module, "PASSES", 1.0)))
        return interleave(slots, passes, progress)


@pytest.fixture
def publish(
    benchmark: Any, measured: Results, cases: Cases, request: pytest.FixtureRequest
) -> Publish:
    """Hand one program's timings, and all that is needed to read them, to pytest-benchmark."""
    case = cases[request.node.callspec.id]

    def publish(**extra: Any) -> None:
        outcome = measured[request.node.callspec.id]
        if isinstance(outcome, Invalid):
            invalid = {"group": benchmark.group, "params": case.params, "reason": outcome.reason}
            request.config.stash[RECORD]["invalid"].append(invalid)
            with suppress(ZeroDivisionError):  # so that pytest-benchmark leaves it out
                benchmark.pedantic(None, setup=lambda: 1 / 0)
            pytest.fail(f"measurement invalid: {outcome.reason}", pytrace=False)
        benchmark.extra_info.update(outcome.info() | asdict(case.setting) | extra)
        readings.extend(reading for each in outcome.times for reading in (0.0, each))
        benchmark.pedantic(lambda: None, rounds=len(outcome.times))

    return publish


# -- pytest-benchmark's JSON, and the end of the run ----------------------------------------------------

RECORD = pytest.StashKey[dict[str, Any]]()
STARTED = pytest.StashKey[float]()


def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Add what no single benchmark could say."""
    output_json.update(
        **config.stash[RECORD],
        effort=effort_of(config).name,
        quantiles=SHARES,
        seconds=round(time.monotonic() - config.stash[STARTED]),
        load_after=round(psutil.getloadavg()[0], 2),
    )


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the tables, from the JSON as it was saved; publish if that was asked for."""
    saved = config.getoption("benchmark_json")
    if effort_of(config) is ONCE or STARTED not in config.stash or not saved:
        return
    terminalreporter.ensure_newline()
    report.summarise(Path(saved))
    if missing := missing_peers():
        names = " and ".join(map(title, missing))
        terminalreporter.write_line(f"not measured: {names} (pip install '.[peers]' adds them)")
    if config.getoption("--benchmark-publish"):
        report.main(["--publish", str(saved)])
