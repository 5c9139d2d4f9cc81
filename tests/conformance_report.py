"""The README's table of conformance: made from what a run of the suite recorded, and checked against both.

`make conformance` runs the suite with `--conformance-json docs/conformance.json`, then this. The table goes
between these two lines of README.md:

    <!-- conformance:begin -->
    <!-- conformance:end -->

`--check`, which `make check` runs, changes nothing, needs no broker, and fails if the README has not the record's
table, or if the record is not one of today's tests: one was added, renamed or removed, or is about another clause.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contract.clauses import CLAUSES
from contract.implementations import IMPLEMENTATIONS

ROOT = Path(__file__).parent.parent
RECORD = ROOT / "docs" / "conformance.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- conformance:begin -->", "<!-- conformance:end -->"
REPAIR = "run `make conformance`"


class Stale(Exception):
    """What is saved does not fit what it was made from. The message says what to do."""


def main(argv: list[str] | None = None) -> int:
    """Write the table, or check it; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance_report",
        description="Write the table of conformance into README.md, from docs/conformance.json.",
    )
    parser.add_argument("--check", action="store_true", help="Change nothing; fail if it is stale.")
    arguments = parser.parse_args(argv)
    try:
        record = load(RECORD)
        check_tests(record)
        if arguments.check:
            check_readme(record)
        else:
            README.write_text(with_table(README, table(record)))
    except Stale as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


def load(path: Path) -> Any:
    """Return what a run recorded.

    Raises:
        Stale: there is no record.
    """
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise Stale(f"no {path.relative_to(ROOT)}: {REPAIR}") from None


def check_tests(record: Any) -> None:
    """Compare a record's tests with those that there are.

    Raises:
        Stale: they are not the same, or did not run on the same implementations.
    """
    if set(record["backends"]) != set(IMPLEMENTATIONS):
        raise Stale(f"the record is one of {', '.join(record['backends'])}: {REPAIR}")
    today = collect()
    changed = [
        clause
        for clause in CLAUSES
        if tests(record, clause) != tests(today, clause) or tests(today, clause) is None
    ]
    if changed:
        raise Stale(f"other tests than those recorded for {', '.join(changed)}: {REPAIR}")


def tests(record: Any, clause: str) -> Any:
    """Return the digest of a clause's tests."""
    return record["clauses"].get(clause, {}).get("tests")


def collect() -> Any:
    """Return the record of a run that collects the tests and runs none.

    Raises:
        Stale: they cannot be collected.
    """
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "conformance.json"
        command = [sys.executable, "-m", "pytest", "tests", "--collect-only", "-qq"]
        done = subprocess.run(
            [*command, "-p", "no:cacheprovider", "--conformance-json", str(path)],
            cwd=ROOT,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0:
            raise Stale(f"the tests cannot be collected:\n{done.stdout[-4000:]}")
        return load(path)


def check_readme(record: Any) -> None:
    """Compare the README's table with the record.

    Raises:
        Stale: they do not say the same.
    """
    if with_table(README, table(record)) != README.read_text():
        raise Stale(f"the table in {README.name} is not the record's: {REPAIR}")


def with_table(readme: Path, text: str) -> str:
    """Return the README with this text between its markers.

    Raises:
        Stale: there is no README, or it has no markers.
    """
    marked = re.compile(f"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.DOTALL)
    before = readme.read_text() if readme.exists() else ""
    if not marked.search(before):
        raise Stale(f"{readme.name} has not the lines {BEGIN} and {END} for the table")
    return marked.sub(lambda _: text, before)


def table(record: Any) -> str:
    """Return the table, clauses by implementations, with the reasons of expected failures below it."""
    reasons: dict[str, int] = {}
    backends = IMPLEMENTATIONS
    lines = [
        f"| clause | {' | '.join(backends)} |",
        f"| --- |{' --- |' * len(backends)}",
    ]
    for clause, (title, _text) in CLAUSES.items():
        ran = record["clauses"].get(clause, {"outcomes": {}})["outcomes"]
        cells = [", ".join(cell(ran.get(backend), reasons)) for backend in backends]
        lines.append(f"| {clause}: {title} | {' | '.join(cells)} |")
    notes = [f"{number}. {reason}" for reason, number in reasons.items()]
    return "\n".join([*lines, *([""] if notes else []), *notes]) + "\n"


def cell(outcome: Any, reasons: dict[str, int]) -> Iterator[str]:
    """Yield what became of a clause's tests with one implementation; number the reasons that are new."""
    if outcome is None:
        yield "no test"
        return
    if outcome["passed"]:
        yield f"{outcome['passed']} passed"
    for reason, count in outcome["expected"].items():
        note = reasons.setdefault(reason, len(reasons) + 1)
        yield f"{count} expected to fail ({note})"
    if outcome["failed"]:
        yield f"**{len(outcome['failed'])} failed**"
    if outcome["not_run"]:
        yield f"{outcome['not_run']} not run"


if __name__ == "__main__":
    sys.exit(main())
