"""What a run of the suite finds out, clause by clause and implementation by implementation, as JSON."""

import json
import re
from collections import Counter, defaultdict
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest

from contract.clauses import CLAUSES

UNNAMED = "no clause"
PROPERTY = "conformance"


def backend_of(item: pytest.Item) -> str | None:
    """Return the implementation that a test runs against."""
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("backend") if callspec else None


def clauses_of(item: pytest.Item) -> list[str]:
    """Return the clauses that a test's docstring begins with (`C12: ` or `C12, C18: `), or `UNNAMED`."""
    docstring = getattr(getattr(item, "function", None), "__doc__", None) or ""
    match = re.match(r"((?:C\d+|Names|Wire)(?:, C\d+)*): ", docstring)
    return match[1].split(", ") if match else [UNNAMED]


class Recorder:
    """A pytest plugin that writes what became of every conformance test.

    The file: `{"backends": [...], "clauses": {clause: {"tests": digest, "outcomes": {backend: {...}}}}}`, where a
    backend's outcomes are how many `passed`, which `failed`, how many are `expected` to fail and did, by
    reason, and how many were `not_run`. The digest is one of the names of the clause's tests.
    """

    def __init__(self, path: Path, suite: Path, *, write: bool = True) -> None:
        """Record the tests below `suite` in `path`. A worker of pytest-xdist has another process write."""
        self._path = path
        self._write = write
        self._suite = suite
        self._tests: dict[str, tuple[list[str], str]] = {}  # clauses and backend by test
        self._outcomes: dict[
            str, tuple[str, str]
        ] = {}  # outcome and expected failure's reason by test

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note the tests that will be run, and have their reports say what they are about."""
        for item in session.items:
            backend = backend_of(item)
            if backend and item.path.is_relative_to(self._suite):
                self._tests[item.nodeid] = (clauses_of(item), backend)
                item.user_properties.append((PROPERTY, self._tests[item.nodeid]))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what became of a test. Its set-up and its end count too when they fail."""
        for name, about in report.user_properties:
            if name == PROPERTY:
                # known from here only if it ran in a worker
                self._tests[report.nodeid] = cast("tuple[list[str], str]", about)
        if report.failed:
            self._outcomes[report.nodeid] = ("failed", "")
        elif hasattr(report, "wasxfail"):
            self._outcomes[report.nodeid] = ("expected", report.wasxfail)
        elif report.passed and report.when == "call":
            self._outcomes[report.nodeid] = ("passed", "")

    def pytest_sessionfinish(self) -> None:
        """Write the file."""
        if not self._write:
            return
        tests: dict[str, set[str]] = defaultdict(set)
        by_clause: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for test, (named, backend) in sorted(self._tests.items()):
            name, bracket, parameters = test.partition("[")
            for clause in named:
                tests[clause].add(name + bracket + parameters.replace(backend, "*", 1))
                by_clause[clause][backend].append(test)
        clauses = {
            clause: {
                "tests": digest(tests[clause]),
                "outcomes": {backend: self._summary(ids) for backend, ids in ran.items()},
            }
            for clause, ran in sorted(by_clause.items(), key=lambda entry: clause_order(entry[0]))
        }
        backends = sorted({backend for _, backend in self._tests.values()})
        content = {"backends": backends, "clauses": clauses}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(content, indent=2) + "\n")

    def _summary(self, tests: list[str]) -> dict[str, Any]:
        outcomes = {test: self._outcomes.get(test, ("not_run", "")) for test in tests}
        counts = Counter(outcome for outcome, _ in outcomes.values())
        reasons = Counter(reason for outcome, reason in outcomes.values() if outcome == "expected")
        return {
            "passed": counts["passed"],
            "failed": sorted(test for test in tests if outcomes[test][0] == "failed"),
            "expected": dict(reasons),
            "not_run": counts["not_run"],
        }


def digest(tests: set[str]) -> str:
    """Return a short name for a set of tests, which is another when one is added, renamed or removed."""
    return sha256("\n".join(sorted(tests)).encode()).hexdigest()[:16]


def clause_order(clause: str) -> int:
    """Return where a clause stands in the contract."""
    return [*CLAUSES, clause].index(clause)
