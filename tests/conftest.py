"""The suite as a measure for implementations: clauses to choose, time limits, and what a run found out."""

import gc
from collections.abc import Generator

import pytest

from conftest import backends
from harness.implementations import IMPLEMENTATIONS, client_class
from rpc_core.client import BaseClient
from tests.conformance import backend_of, clauses_of, explain
from tests.time_limits import Overrun, TimeLimits

# What is begun last is waited for, so the files that take longest come first. Most of them wait for deadlines and
# reconnections; test_docs, test_cluster, test_programs and others keep a processor busy. Those stand among the
# former: else the processors idle in a run's first half, and everything is late in the second.
LONGEST = [
    "test_server.py",
    "test_faults.py",
    "test_surroundings.py",
    "test_calls.py",
    "test_docs.py",
    "test_harness.py",
    "test_errors.py",
    "test_promises_of_servers.py",
    "test_cluster.py",
    "test_celery.py",
    "test_programs.py",
    "test_promises.py",
    "test_trust.py",
    "test_resources.py",
    "test_broker_limits.py",
    "test_bad_input.py",
    "test_soak.py",
    "test_wire.py",
    "test_suite_catches.py",
    "test_benchmarks_truth.py",
    "test_suite_survives.py",
    "test_ladder.py",
    "test_packaging.py",
]

FAILED = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Give each test its time."""
    if set(backends(config)) - set(IMPLEMENTATIONS):
        # nothing is promised about warnings, and what leaks is found later, in another test
        config.addinivalue_line("filterwarnings", "default")
    config.pluginmanager.register(TimeLimits(config))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the files that take longest; leave out the clauses that were not asked for."""
    place = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))
    if chosen := set(config.getoption("--clause") or ()):
        kept, left_out = list[pytest.Item](), list[pytest.Item]()
        for item in items:
            (kept if chosen.intersection(clauses_of(item)) else left_out).append(item)
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def pytest_collection_finish() -> None:
    """Keep what was imported and collected from being searched for garbage, again and again, until the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def on_rpc_core(backend: str) -> None:
    """What a test needs of which docs/ tell, and no clause: the machinery that the clients here share."""
    if not issubclass(client_class(backend), BaseClient):
        pytest.skip("not on rpc_core: no clause promises this")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Have a test fail once, and say which promise was broken."""
    report = yield
    if report.failed and backend_of(item):
        if item.stash.get(FAILED, False):
            # most often it cannot close what a failed test left behind: one failure, not two
            report.sections.append(("teardown, after this failure", report.longreprtext))
            report.outcome, report.longrepr = "passed", None
            return report
        item.stash[FAILED] = True
        error = call.excinfo and call.excinfo.value
        # all that a tear-down asks of an implementation is close()
        ending = isinstance(error, Overrun) and error.part == "tear-down"
        known = getattr(error, "clauses", clauses_of(item))
        explain(report, item, ["C8"] if ending else known)
    return report
