"""Run the suite, and note in docs/versions.json with which versions and what became of it: for docs/versions.md.

python -m tests.versions [arguments for pytest]   run, note, and write docs/versions.md
python -m tests.versions --write                  only write docs/versions.md
python -m tests.versions --check                  complain if that would change it
"""

import json
import platform
import sys
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pika
import pytest

from harness.broker import broker
from harness.program import PROJECT_ROOT

DATA = PROJECT_ROOT / "docs" / "versions.json"
PAGE = PROJECT_ROOT / "docs" / "versions.md"
LIBRARIES = {"pika": "pika", "kombu": "kombu", "celery": "Celery"}
BEGIN, END = "<!-- versions:begin -->\n", "<!-- versions:end -->"
HEAD = [
    "Python",
    "RabbitMQ",
    *LIBRARIES.values(),
    "system",
    "passed",
    "expected to fail",
    "skipped",
    "failed",
]


class Counts:
    """A pytest plugin that counts what became of the tests."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test once; a failure of its set-up or its end as well."""
        if report.skipped and hasattr(report, "wasxfail"):
            self.outcomes["expected to fail"] += 1
        elif report.skipped or report.failed or report.when == "call":
            self.outcomes[report.outcome] += 1


def measure(arguments: list[str]) -> tuple[int, dict[str, Any]]:
    """Run the suite; return pytest's exit code, and what to note."""
    counts = Counts()
    with broker() as node, pika.BlockingConnection(pika.URLParameters(node.url)) as connection:
        properties = connection._impl.server_properties  # type: ignore[attr-defined]  # no public way
    code = pytest.main(arguments, plugins=[counts])
    found = {
        "Python": platform.python_version(),
        "RabbitMQ": str(properties["version"]),
        **{title: installed(name) for name, title in LIBRARIES.items()},
        "system": system(),
        "date": datetime.now(UTC).date().isoformat(),
        **{outcome: counts.outcomes[outcome] for outcome in HEAD[6:]},
    }
    return int(code), found


def installed(library: str) -> str:
    """Return the version of a library, or a dash."""
    try:
        return version(library)
    except PackageNotFoundError:
        return "-"


def system() -> str:
    """Return the operating system's name."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return f"{platform.system()} {platform.release()}"


def page(text: str, runs: list[dict[str, Any]]) -> str:
    """Return the page with its table made again."""
    rows = [HEAD, ["---"] * 6 + ["---:"] * 4, *([str(run[name]) for name in HEAD] for run in runs)]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + table + END + rest.partition(END)[2]


def main(arguments: list[str]) -> int:
    """Do what the module's docstring says."""
    code, runs = 0, json.loads(DATA.read_text())
    if arguments not in (["--write"], ["--check"]):
        code, found = measure(arguments)
        same = [
            [run[name] for name in HEAD[:6]] == [found[name] for name in HEAD[:6]] for run in runs
        ]
        runs = [run for run, replaced in zip(runs, same, strict=True) if not replaced] + [found]
        runs.sort(key=lambda run: [[*map(number, str(run[name]).split("."))] for name in HEAD[:5]])
        DATA.write_text(json.dumps(runs, indent=2) + "\n")
    text = PAGE.read_text()
    new = page(text, runs)
    if arguments == ["--check"] and new != text:
        print(f"{PAGE.name} is stale: python -m tests.versions --write", file=sys.stderr)
        return 1
    if new != text:
        PAGE.write_text(new)
    return code


def number(part: str) -> int:
    """Return a part of a version as a number."""
    return int(part) if part.isdecimal() else -1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
