"""Which clauses each step, and each program that people write first, keeps: `python -m ladder.measure`.

Each is put through the suite by itself, as anybody can do with `pytest --backend ladder.step3`. What is found goes
into docs/ladder.json, with the date, the versions, and digests of the program's sources and of the tests' names;
the tables in docs/ladder.md are made of that (`ladder.report`). A program that hangs often takes ten minutes and
more: each test has its whole time, and none is left out. `python -m ladder.measure ladder.step3` measures one,
`--stale` what has changed since.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.programs import PEERS
from harness.broker import find_program
from harness.implementations import check_implementation
from harness.program import PROJECT_ROOT
from ladder.programs import PROGRAMS, Program
from tests.conformance import clause_order, digest

DATA = PROJECT_ROOT / "docs" / "ladder.json"
LIMIT = 30  # seconds for a test that is not marked with more
RUN_LIMIT = 1800.0  # seconds for one program
# what a program leaks would fail the test that runs when the garbage collector finds out
QUIET = ("no:unraisableexception", "no:threadexception", "no:cacheprovider")
PLUGINS = [word for name in (*QUIET, "ladder.outcomes") for word in ("-p", name)]
SUITE = ("tests", *PLUGINS, "-q", "--tb=line")


def main(argv: list[str] | None = None) -> int:
    """Measure what was asked for, and save it after each program."""
    parser = argparse.ArgumentParser(prog="python -m ladder.measure", description=__doc__)
    parser.add_argument("programs", nargs="*", metavar="PACKAGE", help="(default: all)")
    parser.add_argument("--stale", action="store_true", help="Only what has changed since.")
    parser.add_argument("--clause", action="append", help="Only the tests of these clauses.")
    parser.add_argument(
        "-n", default="8", help="Workers: tests mostly wait. (default: %(default)s)"
    )
    arguments = parser.parse_args(argv)
    for program in PROGRAMS:
        if arguments.programs and program.package not in arguments.programs:
            continue
        try:
            check_implementation(program.package)
        except ValueError as error:  # it needs what is not installed
            print(error, file=sys.stderr)
            continue
        saved = load().get(program.package)
        tests = collect(program.package)
        clauses = arguments.clause or []
        if arguments.stale and saved and saved["sources"] == sources(program):
            clauses = stale_clauses(program, saved, tests)
            if not clauses:
                continue
        begun = time.monotonic()
        try:
            found = measure(program, tests, clauses, arguments.n)
        except subprocess.TimeoutExpired:
            print(f"{program.package}: the run has not ended, nothing is saved", file=sys.stderr)
            continue
        if clauses and saved:  # the others are kept, with the tests that they were measured by
            found["clauses"] = saved["clauses"] | found["clauses"]
        save(load() | {program.package: found})  # another run may have saved meanwhile
        kept = sum(each["outcome"] == "kept" for each in found["clauses"].values())
        seconds = time.monotonic() - begun
        print(f"{program.package}: {kept} clauses kept, {seconds:.0f} s", flush=True)
    return 0


def load() -> dict[str, Any]:
    """Return what is saved."""
    found: dict[str, Any] = json.loads(DATA.read_text()) if DATA.exists() else {}
    return found


def save(data: dict[str, Any]) -> None:
    """Save it, in the order of the programs."""
    order = [program.package for program in PROGRAMS]
    DATA.write_text(
        json.dumps({name: data[name] for name in order if name in data}, indent=1) + "\n"
    )


def measure(
    program: Program, tests: dict[str, list[str]], clauses: list[str], workers: str
) -> dict[str, Any]:
    """Run the suite on a program, and return what is saved of it."""
    chosen = [f"--only-clause={clause}" for clause in clauses]
    limits = [f"--timeout={LIMIT}", "--no-shrinking-limits"]
    options = ["-n", workers, "--dist", "worksteal", *limits, *chosen]
    outcomes = run(program.package, *options)["outcomes"]
    wanted = {
        each: found for each, found in by_clause(tests).items() if not clauses or each in clauses
    }
    return {
        "date": date.today().isoformat(),
        "versions": versions(program),
        "sources": sources(program),
        "clauses": {
            clause: {"tests": names_of(program.package, found), **summary(found, outcomes)}
            for clause, found in wanted.items()
        },
    }


def summary(tests: Iterable[str], outcomes: dict[str, tuple[str, str]]) -> dict[str, Any]:
    """Return what became of a clause: kept, not kept or unsettled; the counts; and the first failure."""
    ran = {test: outcomes.get(test, ("not run", "")) for test in tests}
    counts = dict.fromkeys(("passed", "failed", "hangs", "not run", "skipped"), 0)
    for kind, _ in ran.values():
        counts[kind] += 1
    bad = {test: seen for test, (kind, seen) in ran.items() if kind in ("failed", "hangs")}
    outcome = "not kept" if bad else "kept"
    if not bad and (counts["not run"] or not counts["passed"]):
        outcome = "unsettled"  # a test that did not run has shown nothing
    return {"outcome": outcome, **counts, "seen": dict(sorted(bad.items())[:1])}


def collect(package: str) -> dict[str, list[str]]:
    """Return the clauses of each of the suite's tests of an implementation."""
    found: dict[str, list[str]] = run(package, "--collect-only")["clauses"]
    return found


def run(package: str, *options: str) -> Any:
    """Run pytest with `ladder.outcomes`, and return what that wrote."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "outcomes.json"
        command = [sys.executable, "-m", "pytest", *SUITE, "--backend", package, *options]
        done = subprocess.run(
            [*command, f"--outcomes={path}"],
            cwd=PROJECT_ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=RUN_LIMIT,
            check=False,
        )
        if not path.exists():
            raise RuntimeError(f"{' '.join(command)} ended without a result:\n{done.stdout}")
        return json.loads(path.read_text())


def names_of(package: str, tests: Iterable[str]) -> str:
    """Return a digest of tests' names, which are the same for every program."""
    return digest({test.replace(package, "*", 1) for test in tests})


def stale_clauses(
    program: Program, saved: dict[str, Any], tests: dict[str, list[str]]
) -> list[str]:
    """Return the clauses that have other tests now than when a program was measured."""
    then = {clause: found["tests"] for clause, found in saved["clauses"].items()}
    today = {
        clause: names_of(program.package, of_clause)
        for clause, of_clause in by_clause(tests).items()
    }
    return [clause for clause in today if then.get(clause) != today[clause]]


def by_clause(tests: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the tests of each clause, in the contract's order."""
    found: dict[str, list[str]] = defaultdict(list)
    for test, clauses in tests.items():
        for clause in clauses:
            found[clause].append(test)
    return {clause: found[clause] for clause in sorted(found, key=clause_order)}


def sources(program: Program) -> str:
    """Return a digest of a program's sources; nothing if they are not all here."""
    found = sha256()
    for package in (program.package, *program.made_of):
        place = PROJECT_ROOT / package.replace(".", "/")
        paths = sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
        for path in paths:
            if not path.exists():
                return ""
            found.update(path.read_bytes())
    return found.hexdigest()[:16]


def versions(program: Program) -> dict[str, str]:
    """Return what the outcome may depend on."""
    command = [find_program("rabbitmqctl"), "version"]
    rabbitmq = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    peers = [library for name, library in PEERS.items() if f"benchmarks.{name}" in program.made_of]
    libraries = {name: version(name) for name in ("pika", "kombu", "celery", *peers)}
    return {"python": platform.python_version(), "rabbitmq": rabbitmq, **libraries}


if __name__ == "__main__":
    sys.exit(main())
