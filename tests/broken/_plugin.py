"""A pytest plugin for the run over all broken implementations: chooses tests, and wastes no time on failing ones.

Each implementation gets the quick tests of the clauses that it breaks, or those that it names (`CAUGHT_BY`), and
a sample of the others. Once a clause is seen to be broken, its other tests are left out.
"""

from collections.abc import Generator
from importlib import import_module
from typing import Any

import pytest

from rpc_core.client import BaseClient
from tests import waiting
from tests.conformance import backend_of, clauses_of

FILES = {"test_calls.py", "test_errors.py", "test_server.py"}
SLOW = {"open_broker", "private_broker"}  # its control program takes a second for every answer

# Of each kind a quick one: calls, deadlines, close, bad requests, bad functions, unmatched replies.
SAMPLE = {
    "test_results_are_exact",
    "test_deadline_in_the_past",
    "test_close_fails_what_is_pending",
    "test_arguments_that_json_cannot_carry",
    "test_no_class_is_named_by_the_wire",
    "test_duplicate_and_late_replies",
}

_seen: set[tuple[str | None, ...]] = set()  # backend and clauses of the tests that failed


def pytest_configure() -> None:
    """Wait less long for what will not happen, and for answers that will not come."""
    defaults = BaseClient.__init__.__kwdefaults__
    assert defaults is not None
    defaults["timeout"] = 4.0
    waiting.wait_until.__defaults__ = (4.0,)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what is to be run."""
    kept = [item for item in items if _wanted(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def pytest_collection_finish(session: pytest.Session) -> None:
    """Make calls that nobody will answer shorter."""
    for item in session.items:
        module: Any = getattr(item, "module", None)
        if hasattr(module, "LATER"):
            module.LATER = 5.0


def _wanted(item: pytest.Item) -> bool:
    broken = import_module(backend_of(item) or "")
    name = getattr(item, "originalname", item.name)
    clauses = set(clauses_of(item))
    if clauses & broken.BREAKS:
        if hasattr(broken, "CAUGHT_BY"):
            return name in broken.CAUGHT_BY
        return item.path.name in FILES and not SLOW.intersection(getattr(item, "fixturenames", ()))
    return name in SAMPLE and not clauses.intersection(getattr(broken, "ALSO", ()))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a test out if its clause is known to be broken."""
    if (backend_of(item), *clauses_of(item)) in _seen:
        pytest.skip("its clause has failed already")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note which clauses are broken."""
    report = yield
    if report.failed:
        _seen.add((backend_of(item), *clauses_of(item)))
    return report
