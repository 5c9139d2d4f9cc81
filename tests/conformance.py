"""What a run of the suite finds out, clause by clause and implementation by implementation, as JSON."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest

from contract.clauses import CLAUSES

UNNAMED = "no clause"
PROPERTY = "conformance"
CITED = r"((?:C\d+|Names|Wire)(?:, C\d+)*): "
SEEN = 100  # columns
KINDS = ("passed", "failed", "expected", "skipped", "not run")


def backend_of(item: pytest.Item) -> str | None:
    """Return the implementation that a test runs against."""
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("backend") if callspec else None


def clauses_of(item: pytest.Item) -> list[str]:
    """Return the clauses that a test's docstring begins with (`C12: ` or `C12, C18: `), or `UNNAMED`."""
    docstring = getattr(getattr(item, "function", None), "__doc__", None) or ""
    match = re.match(CITED, docstring)
    return match[1].split(", ") if match else [UNNAMED]


def explain(report: pytest.TestReport, item: pytest.Item, clauses: Sequence[str]) -> None:
    """Put the promise before what was seen instead of it, and both in a section of their own."""
    crash: Any = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return  # an expected failure that did not come has no traceback
    seen, *rest = crash.message.splitlines() or [""]
    if seen.endswith(": ") and rest:  # no words, but an expression: pytest's own stand below
        seen += rest.pop(0)
    seen = re.sub(r"^(?:\w+\.)+(\w+: )", r"\1", seen)  # an error's name without its module
    promises = [f"{name}: {CLAUSES[name].text}" for name in clauses if name in CLAUSES]
    tested = (getattr(item, "function", None).__doc__ or "").splitlines()[:1]
    lines = [f"promised: {line}" for line in promises]
    lines += [f"tested:   {line}" for line in tested] + [f"seen:     {seen}"]
    cast("Any", report.longrepr).addsection("broken promise", "\n".join(lines), "-")
    crash.message = "\n".join([f"{', '.join(clauses)}: {seen}", *rest])


def seen_in(report: pytest.TestReport) -> str:
    """Return in a line what was seen in place of what was promised."""
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = str(crash.message if crash else report.longrepr).splitlines() or [""]
    if re.match("worker .* crashed while running", lines[0]):  # in pytest-xdist's words
        return "the process that ran the test has died"
    return re.sub(f"^{CITED}", "", lines[0])


class Recorder:
    """A pytest plugin that notes what became of every conformance test: for a table at the end, and for a file.

    The file: `{"backends": [...], "clauses": {clause: {"tests": digest, "outcomes": {backend: {...}}}}}`, where a
    backend's outcomes are how many `passed`, which `failed`, how many are `expected` to fail and did, by
    reason, and how many were `not_run`. The digest is one of the names of the clause's tests.
    """

    def __init__(self, suite: Path, path: Path | None = None, *, table: bool = False) -> None:
        """Note the tests below `suite`; write them to `path` if there is one, and to the terminal with `table`."""
        self._path = path
        self._table = table
        self._suite = suite
        self._tests: dict[str, tuple[list[str], str]] = {}  # clauses and backend by test
        self._outcomes: dict[str, tuple[str, str]] = {}  # outcome, and the reason for it, by test

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note the tests that will be run."""
        for item in session.items:
            backend = backend_of(item)
            if backend and item.path.is_relative_to(self._suite):
                self._tests[item.nodeid] = (clauses_of(item), backend)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over the tests that a worker of pytest-xdist collected: each of them collects all."""
        self._tests |= getattr(node, "workeroutput", {}).get(PROPERTY, {})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what became of a test. Its set-up and its end count too when they fail."""
        if report.failed:
            self._outcomes[report.nodeid] = ("failed", seen_in(report))
        elif hasattr(report, "wasxfail"):
            self._outcomes[report.nodeid] = ("expected", report.wasxfail)
        elif report.skipped and isinstance(report.longrepr, tuple):
            self._outcomes[report.nodeid] = ("skipped", report.longrepr[2])
        elif report.passed and report.when == "call":
            self._outcomes[report.nodeid] = ("passed", "")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the file, or have another process do so."""
        workeroutput = getattr(session.config, "workeroutput", None)
        if workeroutput is not None:
            workeroutput[PROPERTY] = self._tests
        elif self._path:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps(self._record(), indent=2) + "\n")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write a line for each clause, for what was seen instead, and for each reason why tests were skipped."""
        if not self._table:
            return
        by_clause = self._by_clause()
        on_workers = terminalreporter.config.getoption("dist", "no") != "no"
        if on_workers and self._outcomes and not self._tests:
            terminalreporter.line("no worker was left to say which tests belong to which clause")
        for backend in sorted({backend for _, backend in self._tests.values()}):
            terminalreporter.section(f"{backend}: the contract's clauses")
            terminalreporter.line(f"{'':<48}{''.join(f'{kind:>9}' for kind in KINDS)}")
            for clause in sorted(by_clause, key=clause_order):
                if not (ran := by_clause[clause].get(backend)):
                    continue
                counts = Counter(self._outcome(test)[0] for test in ran)
                title = CLAUSES[clause].title if clause in CLAUSES else ""
                row = "".join(f"{counts[kind] or '-':>9}" for kind in KINDS)
                terminalreporter.line(f"{clause:<6}{title:<42}{row}", red=counts["failed"] > 0)
                failures = (why[:SEEN] for kind, why in map(self._outcome, ran) if kind == "failed")
                for seen, count in Counter(failures).most_common():
                    terminalreporter.line(f"{count:>8} x {seen}")
        reasons = Counter(why for kind, why in self._outcomes.values() if kind == "skipped")
        for why, count in reasons.most_common():
            terminalreporter.line(f"{count} {why[0].lower()}{why[1:]}")

    def _by_clause(self) -> dict[str, dict[str, list[str]]]:
        found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for test, (named, backend) in sorted(self._tests.items()):
            for clause in named:
                found[clause][backend].append(test)
        return found

    def _record(self) -> dict[str, Any]:
        clauses = {}
        by_clause = self._by_clause()
        for clause in sorted(by_clause, key=clause_order):
            names = set()
            for backend, tests in by_clause[clause].items():
                for test in tests:
                    name, bracket, parameters = test.partition("[")
                    names.add(name + bracket + parameters.replace(backend, "*", 1))
            outcomes = {backend: self._summary(ids) for backend, ids in by_clause[clause].items()}
            clauses[clause] = {"tests": digest(names), "outcomes": outcomes}
        backends = sorted({backend for _, backend in self._tests.values()})
        return {"backends": backends, "clauses": clauses}

    def _outcome(self, test: str) -> tuple[str, str]:
        return self._outcomes.get(test, ("not run", ""))

    def _summary(self, tests: list[str]) -> dict[str, Any]:
        outcomes = {test: self._outcome(test) for test in tests}
        counts = Counter(outcome for outcome, _ in outcomes.values())
        reasons = Counter(reason for outcome, reason in outcomes.values() if outcome == "expected")
        return {
            "passed": counts["passed"],
            "failed": sorted(test for test in tests if outcomes[test][0] == "failed"),
            "expected": dict(reasons),
            "not_run": counts["skipped"] + counts["not run"],
        }


def digest(tests: set[str]) -> str:
    """Return a short name for a set of tests, which is another when one is added, renamed or removed."""
    return sha256("\n".join(sorted(tests)).encode()).hexdigest()[:16]


def clause_order(clause: str) -> int:
    """Return where a clause stands in the contract."""
    return [*CLAUSES, clause].index(clause)
