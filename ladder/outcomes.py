"""A pytest plugin: what became of each test, as JSON, for `ladder.measure`."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import backend_of, clauses_of

SEEN = 160  # characters of a failure's message
HANGS = ("has not ended after", "Timeout (>", "Timeout >")  # as the alarms of tests say it


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--outcomes` and `--only-clause`."""
    parser.addoption("--outcomes", type=Path, metavar="PATH", help="Write them to this file.")
    parser.addoption(
        "--only-clause", action="append", metavar="CLAUSE", help="Run these clauses only."
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin to note."""
    config.pluginmanager.register(Outcomes(config))


class Outcomes:
    """Notes the clauses of each test that is collected, and the outcome of each that is run."""

    def __init__(self, config: pytest.Config) -> None:
        self._path: Path | None = config.getoption("--outcomes")
        self._only = config.getoption("--only-clause")
        self._clauses: dict[str, list[str]] = {}
        self._outcomes: dict[str, tuple[str, str]] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the tests that are wanted and run on an implementation."""
        items[:] = [
            item
            for item in items
            if backend_of(item) and (not self._only or set(self._only) & set(clauses_of(item)))
        ]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what each test is about."""
        self._clauses = {item.nodeid: clauses_of(item) for item in session.items}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what became of a test; what failed first counts."""
        known = self._outcomes.get(report.nodeid, ("", ""))[0]
        if known in ("failed", "hangs"):
            return
        if report.failed:
            self._outcomes[report.nodeid] = ("hangs" if hangs(report) else "failed", seen(report))
        elif report.skipped and not hasattr(report, "wasxfail"):
            self._outcomes[report.nodeid] = ("skipped", "")
        elif report.when == "call":
            self._outcomes[report.nodeid] = ("passed", "")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the file; the workers leave that to the process that they report to."""
        if self._path and not hasattr(session.config, "workerinput"):
            content = {"clauses": self._clauses, "outcomes": self._outcomes}
            self._path.write_text(json.dumps(content))


def hangs(report: pytest.TestReport) -> bool:
    """Whether a test failed because it did not end."""
    return report.failed and any(words in message(report) for words in HANGS)


def message(report: pytest.TestReport) -> str:
    """Return a failure's own message, without its traceback."""
    crash: Any = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash else report.longrepr)


def seen(report: pytest.TestReport) -> str:
    """Return the first line of a failure's message, without the path of this folder."""
    return (message(report).splitlines() or [""])[0].replace(f"{Path.cwd()}/", "")[:SEEN]
