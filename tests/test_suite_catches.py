"""The suite is shown to fail when it should: it is run on implementations that are broken on purpose."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest

import tests.broken
from contract.clauses import CLAUSES
from harness.broker import BrokerNotInstalled, find_program
from tests.conformance import UNNAMED

MODULES = [name for _, name, _ in iter_modules(tests.broken.__path__)]
NAMES = [name for name in MODULES if not name.startswith(("_", "hang_"))]
NUMBERED = {clause for clause in CLAUSES if clause[0] == "C"}
ROOT = Path(__file__).parent.parent
# Runs at a time, each with a broker of its own: what is broken mostly makes others wait. With fewer
# names a further run would cost more, to start it and its broker, than it saves.
SHARES = 5
NAMES_IN_A_SHARE = 11
# In every run: a client and two servers, one on each layer. `make test-suite` runs all.
SOME = ["replies_by_order", "kombu_auto_ack", "celery_traceback_in_reply"]
GROUPS = ("calls", "errors", "server", "trust", "promises", "promises_of_servers")
QUICK = [f"tests/test_{group}.py" for group in GROUPS]

Outcomes = Mapping[str, Mapping[str, Any]]  # clause -> backend -> what became of its tests


def broken(name: str) -> Any:
    """Return a broken implementation's module."""
    return import_module(f"tests.broken.{name}")


def run_suite(path: Path, *arguments: str, timeout: float = 900.0) -> Any:
    """Run the suite in a process of its own, with a broker of its own, and return what it recorded."""
    # What is broken leaks, and would fail the test that runs when the garbage collector finds out.
    quiet = ["-p", "no:unraisableexception", "-p", "no:threadexception"]
    options = [*quiet, "-p", "no:cacheprovider", "--tb=line"]
    environment = {name: value for name, value in os.environ.items() if name != "AMQP_URL"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--conformance-json", str(path), *arguments],
        cwd=ROOT,
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
    )
    print(done.stdout)
    with suppress(FileNotFoundError):
        return json.loads(path.read_text())
    pytest.fail(f"the run ended without a record:\n{done.stdout}")


def backends(*names: str) -> list[str]:
    """Return the options that run the suite on these broken implementations."""
    return [word for name in names for word in ("--backend", f"tests.broken.{name}")]


def outcomes(record: Any, name: str) -> dict[str, Any]:
    """Return what became of the tests of each clause that ran on a broken implementation."""
    backend = f"tests.broken.{name}"
    ran = {clause: entry["outcomes"].get(backend) for clause, entry in record["clauses"].items()}
    return {clause: outcome for clause, outcome in ran.items() if outcome}


def failing(record: Any, name: str) -> set[str]:
    """Return the clauses that the suite found broken, by tests that are not about a clause meant as well."""
    failed = {clause: set(ran["failed"]) for clause, ran in outcomes(record, name).items()}
    meant = broken(name).BREAKS
    excused = set().union(*(failed.get(clause, set()) for clause in meant))
    return {clause for clause in failed if failed[clause] - (set() if clause in meant else excused)}


@pytest.fixture(scope="session")
def own_broker() -> None:
    """What is needed for a broker of one's own; `$AMQP_URL` would not do."""
    try:
        find_program("rabbitmq-server")
    except BrokerNotInstalled as error:
        pytest.skip(str(error))


def quick_run(names: list[str], place: Path) -> Any:
    """Run the tests that should fail and a sample that should not; return the records by name."""
    count = min(SHARES, -(-len(names) // NAMES_IN_A_SHARE))
    shares = [names[first::count] for first in range(count)]  # each with some of every layer

    def run(number: int) -> Any:
        # what is broken hangs: that is found out sooner than where a good one may be slow
        chosen = ("-p", "tests.broken._plugin", "--timeout=30", *QUICK, *backends(*shares[number]))
        return run_suite(place / f"{number}.json", *chosen)

    with ThreadPoolExecutor(count) as pool:
        records = list(pool.map(run, range(count)))
    return {name: record for share, record in zip(shares, records, strict=True) for name in share}


@pytest.fixture(scope="session")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The suite's tests, not run."""
    record = tmp_path_factory.mktemp("collected") / "conformance.json"
    return run_suite(record, "tests", "--collect-only", "-q")


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "names",
    [SOME, pytest.param(NAMES, marks=pytest.mark.suite)],
    ids=["some", "all"],
)
def test_broken_implementations_are_caught(
    own_broker: None, tmp_path: Path, names: list[str]
) -> None:
    """The clauses meant fail, and none of the sample does.

    One test for all, so that workers of pytest-xdist do not each make the run.
    """
    record = quick_run(names, tmp_path)
    found = {name: failing(record[name], name) for name in names}
    assert found == {name: broken(name).BREAKS for name in names}
    assert all(len(outcomes(record[name], name)) > len(found[name]) for name in names)


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NAMES)
def test_whole_suite_on_broken_implementation(own_broker: None, tmp_path: Path, name: str) -> None:
    """With the whole suite, the clauses meant fail, and no others but those that depend on them."""
    arguments = ("tests", "--timeout=120", *backends(name))
    found = failing(run_suite(tmp_path / "record", *arguments, timeout=3600), name)
    assert found >= broken(name).BREAKS
    assert found <= broken(name).BREAKS | getattr(broken(name), "ALSO", set())


def test_each_clause_has_a_broken_implementation() -> None:
    """No clause is tested by tests that were never seen to fail."""
    assert set().union(*(broken(name).BREAKS for name in NAMES)) == NUMBERED


@pytest.mark.parametrize("name", NAMES)
def test_broken_implementation_says_what_it_breaks(name: str) -> None:
    """Its docstring begins with the clauses that it declares as data; they exist."""
    clauses, _, why = (broken(name).__doc__ or "").partition(": ")
    assert set(clauses.split(", ")) == broken(name).BREAKS
    assert why.rstrip().endswith(".")
    assert broken(name).BREAKS | getattr(broken(name), "ALSO", set()) <= NUMBERED


@pytest.mark.timeout(180)
def test_each_test_names_its_clause(collected: Any) -> None:
    """A test that is run on implementations begins with the clause it checks, and the clause exists."""
    unnamed = collected["clauses"].get(UNNAMED, {"outcomes": {}})
    assert unnamed["outcomes"] == {}
    assert set(collected["clauses"]) == set(CLAUSES)
