"""docs/contract.md: each clause with what raises, keeps, tests and breaks it, made from what says so.

| of a clause | it is taken from |
| --- | --- |
| title, sentences, errors | contract/clauses.py; the docstrings in contract/errors.py |
| where it is kept | the docstrings and comments that cite its number (`tests.citations`) |
| its tests | tests/sentences.toml |
| what became of them | docs/conformance.json, which `make conformance` records |
| what breaks it | `BREAKS` in tests/broken/ |
| what the tutorial does | docs/ladder.json and ladder/notes.py |

Each part of the page goes between two lines of it, with NAME one of `summary`, `errors` and `clauses`:

    <!-- contract NAME -->
    <!-- contract end -->

`--check`, which `make check` runs, changes nothing, needs no broker, and fails if a part is not what it would be
today, or if the record is not one of today's tests: one was added, renamed or removed, or is about another clause.
"""

import argparse
import ast
import inspect
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.front_page import is_kept
from contract import errors
from contract.clauses import CLAUSES
from harness.implementations import IMPLEMENTATIONS
from ladder.notes import note
from tests.citations import Place, places
from tests.sentences import MAP, split

ROOT = Path(__file__).parent.parent
RECORD = ROOT / "docs" / "conformance.json"
LADDER = ROOT / "docs" / "ladder.json"
PAGE = ROOT / "docs" / "contract.md"
MARKED = re.compile(r"(<!-- contract (?!end)(\w+) -->\n).*?(<!-- contract end -->)", re.DOTALL)
RUN_AGAIN = "run `make conformance`"
WRITE_AGAIN = "run `python -m tests.conformance_report`"
TUTORIAL = "ladder.step0"
LAYERS = {
    "what all share": ("contract", "rpc_core"),
    "pika": ("raw_pika",),
    "kombu and Celery": ("kombu_common",),
    "kombu": ("kombu_impl",),
    "Celery": ("celery_impl",),
}
PROMISED_IN = ("contract/clauses.py", "contract/client.py", "contract/errors.py")  # not kept there


class Stale(Exception):
    """What is saved does not fit what it was made from. The message says what to do."""


def main(argv: list[str] | None = None) -> int:
    """Write the page's parts, or check them; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance_report",
        description="Write what is generated in docs/contract.md.",
    )
    parser.add_argument("--check", action="store_true", help="Change nothing; fail if it is stale.")
    arguments = parser.parse_args(argv)
    try:
        page, record = PAGE.read_text(), load(RECORD)
        now = filled(page, known(record))
        if not arguments.check:
            PAGE.write_text(now)
            return 0
        check_tests(record)
        if now != page:
            raise Stale(f"{PAGE.name} is not what it is made from: {WRITE_AGAIN}")
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
        raise Stale(f"no {path.relative_to(ROOT)}: {RUN_AGAIN}") from None


def check_tests(record: Any) -> None:
    """Compare a record's tests with those that there are.

    Raises:
        Stale: they are not the same, or did not run on the same implementations.
    """
    if set(record["backends"]) != set(IMPLEMENTATIONS):
        raise Stale(f"the record is one of {', '.join(record['backends'])}: {RUN_AGAIN}")
    today = collect()
    changed = [
        clause
        for clause in CLAUSES
        if tests(record, clause) != tests(today, clause) or tests(today, clause) is None
    ]
    if changed:
        raise Stale(f"other tests than those recorded for {', '.join(changed)}: {RUN_AGAIN}")


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


# -- what the page is made from --------------------------------------------------------------------


class Known(NamedTuple):
    """All that is known, by clause."""

    outcomes: dict[str, dict[str, Any]]  # by implementation: what became of the tests
    errors: dict[str, list[str]]
    kept: dict[str, dict[str, list[Place]]]  # by layer
    tests: dict[str, dict[str, Any]]  # by sentence: tests, or why there are none
    broken: dict[str, list[str]]
    tutorial: dict[str, str]  # kept or not kept, if it was measured


def known(record: Any) -> Known:
    """Return what is known, with this record of a run."""
    return Known(
        {clause: record["clauses"].get(clause, {}).get("outcomes", {}) for clause in CLAUSES},
        {
            clause: [name for name, cites, _ in documented_errors() if clause in cites]
            for clause in CLAUSES
        },
        kept_in(ROOT),
        tomllib.loads(MAP.read_text()),
        broken(ROOT / "tests" / "broken"),
        tutorial(json.loads(LADDER.read_text()) if LADDER.exists() else {}),
    )


def documented_errors() -> Iterator[tuple[str, list[str], str]]:
    """Yield the name of each error of a call, the clauses that its docstring begins with, and the rest of it."""
    for name, kind in vars(errors).items():
        if (
            isinstance(kind, type)
            and issubclass(kind, errors.RpcError)
            and kind is not errors.RpcError
        ):
            said = " ".join((inspect.getdoc(kind) or "").split())
            cites = re.match(r"(?:C\d+, )*C\d+(?=: )", said)
            text = said.removeprefix(f"{cites[0]}: ") if cites else said
            yield name, cites[0].split(", ") if cites else [], text


def kept_in(root: Path) -> dict[str, dict[str, list[Place]]]:
    """Return where each layer's code cites each clause."""
    found: dict[str, dict[str, list[Place]]] = {clause: {} for clause in CLAUSES}
    for layer, packages in LAYERS.items():
        for package in packages:
            for clause, listed in places(root, package, PROMISED_IN).items():
                if listed:
                    found[clause].setdefault(layer, []).extend(listed)
    return found


def broken(folder: Path) -> dict[str, list[str]]:
    """Return the broken implementations of each clause; `hang_...` are there for other reasons."""
    found: dict[str, list[str]] = {clause: [] for clause in CLAUSES}
    for path in sorted(folder.glob("[!_]*.py")):
        for node in ast.parse(path.read_text()).body:
            match node:
                case ast.Assign(targets=[ast.Name(id="BREAKS")], value=value):
                    for clause in ast.literal_eval(value):
                        if not path.stem.startswith("hang_"):
                            found[clause].append(path.stem)
    return found


def tutorial(measured: Any) -> dict[str, str]:
    """Return what the tutorial makes of each clause, where it was measured and settled."""
    found = measured.get(TUTORIAL, {}).get("clauses", {})
    outcomes = {clause: found.get(clause, {}).get("outcome", "unsettled") for clause in CLAUSES}
    return {clause: outcome for clause, outcome in outcomes.items() if outcome != "unsettled"}


# -- the page --------------------------------------------------------------------------------------


def filled(page: str, found: Known) -> str:
    """Return a page with its parts.

    Raises:
        Stale: one of them has no place in it, or a place is for no part.
    """
    parts = {"summary": summary, "errors": error_table, "clauses": sections}
    if sorted(name for _, name, _ in MARKED.findall(page)) != sorted(parts):
        raise Stale(f"{PAGE.name} has not one place for each of {', '.join(parts)}")
    return MARKED.sub(lambda each: each[1] + parts[each[2]](found) + each[3], page)


def summary(found: Known) -> str:
    """Return which clauses are kept, and a table of them all."""
    exceptions = {clause: list(unkept(found.outcomes[clause])) for clause in CLAUSES}
    whole = sum(not each for each in exceptions.values())
    lines = [f"{whole} of {len(CLAUSES)} clauses are kept by all: {names(IMPLEMENTATIONS)}.", ""]
    lines += [f"- {link(clause)}, {said}." for clause, each in exceptions.items() for said in each]
    lines += [
        "",
        "| clause | | tests | kept by | the tutorial |",
        "| --- | --- | ---: | --- | --- |",
    ]
    for clause, (title, _text) in CLAUSES.items():
        ran = found.outcomes[clause]
        keep = [name for name in IMPLEMENTATIONS if is_kept(ran.get(name))]
        by = "all" if len(keep) == len(IMPLEMENTATIONS) else names(keep) or "**none**"
        first = found.tutorial.get(clause, "")
        lines.append(f"| {link(clause)} | {title} | {count(ran)} | {by} | {first} |")
    return "\n".join(lines) + "\n"


def unkept(ran: dict[str, Any]) -> Iterator[str]:
    """Yield what else than passing became of a clause's tests, implementation by implementation."""
    for name in IMPLEMENTATIONS:
        outcome = ran.get(name)
        if outcome is None or not any(outcome.values()):
            yield f"{name}: no test"
            continue
        if outcome["failed"]:
            yield f"{name}: **{len(outcome['failed'])} of its tests failed**"
        for reason in outcome["expected"]:
            yield f"{name}, a declared gap: {reason.rstrip('.')}"
        if outcome["not_run"]:
            yield f"{name}: {outcome['not_run']} of its tests not run"


def count(ran: dict[str, Any]) -> str:
    """Return how many tests a clause has, or how many with each implementation when they differ."""
    counts = [
        outcome["passed"]
        + len(outcome["failed"])
        + sum(outcome["expected"].values())
        + outcome["not_run"]
        for outcome in (ran[name] for name in IMPLEMENTATIONS if name in ran)
    ]
    same = len(set(counts)) == 1 and len(counts) == len(IMPLEMENTATIONS)
    return str(counts[0]) if same else ", ".join(map(str, counts)) or "0"


def error_table(_: Known) -> str:
    """Return the errors, most with the built-in one that they are too."""
    lines = ["| error | also a | when | clause |", "| --- | --- | --- | --- |"]
    for name, cites, text in documented_errors():
        kinds = [each.__name__ for each in getattr(errors, name).__bases__]
        also = ", ".join(f"`{each}`" for each in kinds if each != "RpcError")
        clauses = ", ".join(link(clause) for clause in cites)
        lines.append(f"| `{name}` | {also} | {text[0].upper()}{text[1:]} | {clauses} |")
    return "\n".join(lines) + "\n"


def sections(found: Known) -> str:
    """Return a section for each clause."""
    return "\n".join(
        f"### {clause}\n\n" + "\n".join(section(clause, found)) + "\n" for clause in CLAUSES
    )


def section(clause: str, found: Known) -> Iterator[str]:
    """Yield the lines on one clause."""
    title, text = CLAUSES[clause]
    raised = names([f"[`{name}`](#errors)" for name in found.errors[clause]])
    yield f"**{title[0].upper()}{title[1:]}.**" + (f" Fails with {raised}." if raised else "")
    yield ""
    for number, sentence in enumerate(split(text), start=1):
        yield f"{number}. {sentence}"
        yield f"   - {tested_by(found.tests.get(clause, {}).get(sentence))}"
    yield ""
    for layer, listed in found.kept[clause].items():
        yield f"- *Kept in* {layer}: {', '.join(map(place_link, listed))}"
    if found.broken[clause]:
        modules = [f"[{name}.py](../tests/broken/{name}.py)" for name in found.broken[clause]]
        yield f"- *Broken on purpose in* {', '.join(modules)}"
    for said in unkept(found.outcomes[clause]):
        yield f"- *But* {said}."
    match found.tutorial.get(clause):
        case "kept":
            yield "- *In the tutorial* kept"
        case "not kept":
            yield f"- *In the tutorial* not kept: {note(TUTORIAL, clause)}"


def tested_by(tests: Sequence[str] | str | None) -> str:
    """Return links to a sentence's tests, or why there are none."""
    if not tests or isinstance(tests, str):
        return f"no test: {tests or 'not said why'}"
    named = [test.split("::") for test in tests]
    return ", ".join(f"[`{test}`](../tests/test_{file}.py)" for file, test in named)


def place_link(place: Place) -> str:
    """Return a link to a file, by the name of what in it is meant."""
    label = f"`{place.name}`" if place.name else Path(place.file).name
    section = f" ({place.section})" if place.section else ""
    return f"[{label}](../{place.file}){section}"


def link(clause: str) -> str:
    """Return a link to a clause's section."""
    return f"[{clause}](#{clause.lower()})"


def names(several: Sequence[str]) -> str:
    """Return names as a sentence has them."""
    *first, last = several or [""]
    return f"{', '.join(first)} and {last}" if first else last


if __name__ == "__main__":
    sys.exit(main())
