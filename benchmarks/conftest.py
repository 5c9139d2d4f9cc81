"""What the questions share: how much effort is made, the rig, progress, and the way into pytest-benchmark.

All rows of a question are measured in turn by one fixture, `measured`, which the first of the question's tests
sets up. Each test then hands its row's timings to pytest-benchmark, so that its table, JSON, saving and comparing
work as ever.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest

from benchmarks import environment, report
from benchmarks.measure import Measured, Void, spread
from benchmarks.rig import Rig
from benchmarks.rows import rows_beside
from conftest import backends
from harness.broker import ExternalBroker, PrivateBroker

Cases = Mapping[str, Mapping[str, Any]]
Results = Mapping[str, Measured | Void]
Progress = Callable[[str], None]
Publish = Callable[..., None]

FINE = [i / 100 for i in range(100)] + [0.995, 0.999, 1.0]
"""The quantiles that are saved of every distribution."""


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


class Replay:
    """A timer that tells times taken before: pytest-benchmark reads it before and after each round."""

    def __init__(self) -> None:
        self._readings: Iterator[float] = iter(())

    def load(self, times: list[float]) -> None:
        """Have each round take the next of these times."""
        self._readings = (reading for each in times for reading in (0.0, each))

    def __call__(self) -> float:
        """Return the next reading."""
        return next(self._readings)


replay = Replay()


# -- which tests there are -----------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a benchmark that asks for `row` for each implementation, and for what its module wants beside them."""
    beside = getattr(metafunc.module, "BESIDE", None)
    if beside is not None and "row" in metafunc.fixturenames:
        metafunc.parametrize("row", rows_beside(backends(metafunc.config), **beside))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Group by question, allow for the time, and keep to a module's `QUICK` unless all is to be measured."""
    effort = effort_of(config)
    left_out = []
    for item in items:
        if not isinstance(item, pytest.Function) or "publish" not in item.fixturenames:
            continue
        module: Any = item.module
        item.add_marker(pytest.mark.benchmark(group=module.QUESTION, timer=replay))
        item.add_marker(pytest.mark.timeout(300))
        params = item.callspec.params
        skip = getattr(module, "SKIP", None)
        only = {} if effort is FULL else module.QUICK
        if effort is ONCE:
            only = getattr(module, "ONCE", only)
        chosen = all(params[name] in values for name, values in only.items())
        if (skip and skip(**params)) or not chosen:
            left_out.append(item)
    if left_out:
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]
        config.hook.pytest_deselected(items=left_out)


# -- fixtures ------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def effort(request: pytest.FixtureRequest) -> Effort:
    """How long to measure."""
    return effort_of(request.config)


@pytest.fixture(scope="session")
def rig(broker: PrivateBroker | ExternalBroker, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """The servers of the run."""
    request.config.stash[ENVIRONMENT] = environment.describe(broker)
    with Rig(broker) as rig:
        yield rig


@pytest.fixture(scope="module")
def cases(request: pytest.FixtureRequest) -> Cases:
    """The parameters of every benchmark of this module that will run, by its id."""
    return {
        item.callspec.id: item.callspec.params
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.path == request.path
    }


@pytest.fixture(scope="module")
def progress(request: pytest.FixtureRequest, effort: Effort) -> Progress:
    """Say on the terminal what is being measured."""
    reporter: Any = request.config.pluginmanager.get_plugin("terminalreporter")
    capture: Any = request.config.pluginmanager.get_plugin("capturemanager")
    question = request.module.QUESTION
    started = request.config.stash.setdefault(STARTED, time.monotonic())

    def say(text: str) -> None:
        if effort is ONCE or reporter is None:
            return
        line = f"{time.monotonic() - started:4.0f} s  {question}  {text}"
        with capture.global_and_fixture_disabled():
            if reporter.isatty:
                reporter.write(f"\r{line:<79}", flush=True)
            elif text.startswith("pass 1 "):
                reporter.write(f"\n{line} ", flush=True)

    return say


@pytest.fixture
def publish(benchmark: Any, request: pytest.FixtureRequest) -> Publish:
    """Hand one row's timings, and all that is needed to read them, to pytest-benchmark."""

    def publish(results: Results, **extra: Any) -> None:
        outcome = results[request.node.callspec.id]
        if isinstance(outcome, Void):
            request.config.stash.setdefault(VOIDS, []).append(
                {
                    "group": benchmark.group,
                    "params": benchmark.params,
                    "reason": outcome.reason,
                }
            )
            _refuse(benchmark, outcome)
        benchmark.extra_info.update(describe(outcome) | extra)
        replay.load(outcome.times)
        benchmark.pedantic(lambda: None, rounds=len(outcome.times))

    return publish


def _refuse(benchmark: Any, void: Void) -> NoReturn:
    """Leave this row out of pytest-benchmark's results, and fail its test."""

    def fail() -> None:
        raise AssertionError

    replay.load([0.0])
    with suppress(AssertionError):
        benchmark.pedantic(fail)
    pytest.fail(f"void: {void.reason}", pytrace=False)


def describe(measured: Measured) -> dict[str, Any]:
    """Return what is saved of a row beside pytest-benchmark's own statistics. Seconds per call."""
    times = measured.times
    return {
        "calls": measured.calls,
        "passes": measured.passes,
        "spread": spread(measured.passes)._asdict(),
        "p50": measured.quantile(0.5),
        "p95": measured.quantile(0.95),
        "p99": measured.quantile(0.99),
        "quantiles": [measured.quantile(q) for q in FINE] if len(times) > len(FINE) else [],
        "cpu_per_call": measured.cpu_per_call,
        "smallest_shares": measured.smallest_shares,
        "memory": measured.memory,
    }


# -- pytest-benchmark's JSON, and the end of the run ----------------------------------------------------

ENVIRONMENT = pytest.StashKey[dict[str, Any]]()
VOIDS = pytest.StashKey[list[dict[str, Any]]]()
STARTED = pytest.StashKey[float]()


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Keep what bears on the figures; leave out the machine's name and the list of its processor's features."""
    cpu = machine_info.pop("cpu", {})
    for name in ("node", "python_build", "python_compiler"):
        machine_info.pop(name, None)
    machine_info["cpu"] = cpu.get("brand_raw") or machine_info.get("processor") or "unknown"


def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Add what no single benchmark could say."""
    output_json["environment"] = config.stash.get(ENVIRONMENT, {})
    output_json["void"] = config.stash.get(VOIDS, [])
    output_json["effort"] = effort_of(config).name
    output_json["quantiles"] = FINE
    output_json["seconds"] = round(time.monotonic() - config.stash.get(STARTED, 0.0))
    output_json["load_after"] = round(psutil.getloadavg()[0], 2)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the tables, from the JSON as it was saved."""
    saved = config.getoption("benchmark_json")
    if effort_of(config) is ONCE or STARTED not in config.stash or not saved:
        return
    terminalreporter.ensure_newline()
    report.summarise(Path(saved))
