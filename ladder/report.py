"""What docs/ says that was measured on the ladder, from docs/ladder.json; `make ladder` prints the first table.

Each table or sentence goes between two lines of a page, which `python -m ladder.report` rewrites:

    <!-- ladder NAME -->
    <!-- ladder end -->

NAME is `steps`, `gains`, `first`, `seen`, or a step's package, all in ladder.md; and `kombu` and `celery`, in the
pages on how these come. `--check`, which `make check` runs, changes nothing, needs no broker, and fails if a page
does not say what is saved, or what is saved is not of today's sources.
Which clauses have other tests by now it only says: to measure everything again takes hours.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any

from contract.clauses import CLAUSES
from harness.program import PROJECT_ROOT
from ladder import measure
from ladder.notes import CHOICES, OWN, SEEN, note
from ladder.programs import BARE, END, FIRST, PROGRAMS, STEPS, Program

PAGES = [
    PROJECT_ROOT / "docs" / name
    for name in ("ladder.md", "kombu-as-it-comes.md", "celery-as-it-comes.md")
]
KOMBU = ("kombu", "bare_kombu")
CELERY = ("celery", "celery_settings")
MARGIN = 2  # tests of a clause that pass: one more or less may be chance
MARKED = re.compile(r"(<!-- ladder (?!end)(\S+) -->\n).*?(<!-- ladder end -->)", re.DOTALL)
REPAIR = "Run `python -m ladder.measure --stale`, then `python -m ladder.report`"


class Stale(Exception):
    """What is saved does not fit what it was made from. The message says what to do."""


def main(argv: list[str] | None = None) -> int:
    """Write the tables, check them, or print one; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ladder.report", description=__doc__)
    parser.add_argument("--check", action="store_true", help="Change nothing; fail if it is stale.")
    parser.add_argument("--print", action="store_true", help="Print what each step keeps.")
    arguments = parser.parse_args(argv)
    data = measure.load()
    if arguments.print:
        print(plain(data, [*STEPS, END]))
        print(gains(data))
        return 0
    if not arguments.check:
        for page in PAGES:
            page.write_text(filled(page.read_text(), data))
        return 0
    try:
        check_sources(data)
        check_pages(data)
    except Stale as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    if clauses := newly_tested(data):
        print(
            f"{parser.prog}: measured with other tests than today's: {', '.join(clauses)}. {REPAIR}"
        )
    return 0


def check_sources(data: dict[str, Any]) -> None:
    """Compare what is saved with the sources that there are.

    Raises:
        Stale: a program has changed since.
    """
    changed = [
        program.package
        for program in PROGRAMS
        if program.package in data
        and measure.sources(program) not in ("", data[program.package]["sources"])
    ]
    if changed:
        raise Stale(f"other sources than those measured: {', '.join(changed)}: {REPAIR}")


def check_pages(data: dict[str, Any]) -> None:
    """Compare what is saved with what the pages say.

    Raises:
        Stale: a page says something else.
    """
    stale = [page.name for page in PAGES if filled(page.read_text(), data) != page.read_text()]
    if stale:
        raise Stale(f"not what is saved: {', '.join(stale)}: run `python -m ladder.report`")


def newly_tested(data: dict[str, Any]) -> list[str]:
    """Return the clauses that have other tests now than those that programs were measured with."""
    tests = measure.collect(END.package)
    clauses = {
        clause
        for program in PROGRAMS
        if program.package in data
        for clause in measure.stale_clauses(END, data[program.package], tests)
    }
    return [clause for clause in CLAUSES if clause in clauses]


def filled(page: str, data: dict[str, Any]) -> str:
    """Return a page with what was measured."""
    return MARKED.sub(lambda found: found[1] + part(found[2], data) + found[3], page)


def part(name: str, data: dict[str, Any]) -> str:
    """Return what stands between a pair of markers.

    Raises:
        ValueError: there is no such part.
    """
    programs = {program.package: program for program in PROGRAMS}
    match name:
        case "steps":
            return table(data, [*STEPS, END]) + made_on(data)
        case "gains":
            return gains(data)
        case "first":
            return table(data, (*FIRST, *BARE))
        case "seen":
            return seen(data)
        case "kombu":
            return each_alone(data, [programs[f"ladder.first.{each}"] for each in KOMBU])
        case "celery":
            return compared(data, *[programs[f"ladder.first.{each}"] for each in CELERY])
    if name not in programs:
        raise ValueError(f"no such table: {name}")
    return gain(data, programs[name])


def table(data: dict[str, Any], programs: Sequence[Program]) -> str:
    """Return a table, clauses by programs."""
    lines = [
        f"| clause | {' | '.join(map(short, programs))} |",
        f"| --- |{' --- |' * len(programs)}",
    ]
    for clause, (title, _text) in CLAUSES.items():
        cells = [cell(data, program, clause) for program in programs]
        lines.append(f"| {clause}: {title} | {' | '.join(cells)} |")
    totals = [total(data, program) for program in programs]
    lines.append(f"| all, a test counted for each of its clauses | {' | '.join(totals)} |")
    return "\n".join(lines) + "\n"


def plain(data: dict[str, Any], programs: Sequence[Program]) -> str:
    """Return the same for a terminal: "12/20 3h" for "12 of 20, 3 hang"."""
    lines = [f"{'':<48}" + "".join(f"{short(program):>10}" for program in programs)]
    for clause, (title, _text) in CLAUSES.items():
        words = (cell(data, program, clause) for program in programs)
        brief = (each.replace(" of ", "/").replace(",", "").replace(" hang", "h") for each in words)
        cells = "".join(f"{each:>10}" for each in brief)
        lines.append(f"{clause:<6}{title:<42.42}{cells}")
    totals = "".join(f"{total(data, program):>10}" for program in programs)
    lines.append(f"{'all, a test counted for each of its clauses':<48}{totals}")
    return "\n".join(lines) + "\n"


def cell(data: dict[str, Any], program: Program, clause: str) -> str:
    """Return what became of a clause: kept, or how many of its tests passed, and how many have hung."""
    found = clauses_of(data, program).get(clause)
    if found is None:
        return "-"
    if found["outcome"] == "kept":
        return "kept"
    tests = count(found)
    hang = f", {found['hangs']} hang" if found["hangs"] else ""
    return f"{found['passed']} of {tests}{hang}"


def clauses_of(data: dict[str, Any], program: Program) -> dict[str, Any]:
    """Return what became of each clause; nothing if the program was not measured."""
    found: dict[str, Any] = data.get(program.package, {}).get("clauses", {})
    return found


def count(found: dict[str, Any]) -> int:
    """Return how many tests a clause has, but for those that cannot run here."""
    return sum(found[kind] for kind in ("passed", "failed", "hangs", "not run"))


def total(data: dict[str, Any], program: Program) -> str:
    """Return how many of all tests passed, in percent."""
    clauses = clauses_of(data, program).values()
    if not clauses:
        return "-"
    return f"{100 * sum(each['passed'] for each in clauses) // sum(map(count, clauses))} %"


def kept(data: dict[str, Any], program: Program) -> set[str]:
    """Return the clauses that a program keeps."""
    clauses = clauses_of(data, program)
    return {clause for clause, found in clauses.items() if found["outcome"] == "kept"}


def gain(data: dict[str, Any], program: Program) -> str:
    """Return the clauses that a step keeps and the one before did not, and the other way round."""
    if program.package not in data:
        return f"Not measured. `pytest --backend {program.package}`\n"
    now, before = kept(data, program), set[str]()
    order = [*STEPS, END]
    if at := order.index(program):
        one_before = order[at - 1]
        before = kept(data, one_before) if one_before.package in data else now
    said = f"Keeps {len(now)} of {len(CLAUSES)} clauses, and passes {total(data, program)} of all tests."
    for words, clauses in (("New", now - before), ("No longer", before - now)):
        if clauses:
            said += f" {words}: {titled(clauses)}."
    return f"{said} `pytest --backend {program.package}`\n"


def titled(clauses: set[str]) -> str:
    """Return clauses with their titles, in the contract's order; or "none"."""
    titles = [f"{each} ({CLAUSES[each].title})" for each in CLAUSES if each in clauses]
    return ", ".join(titles) or "none"


def gains(data: dict[str, Any]) -> str:
    """Return a line for each step."""
    lines = []
    for program in (*STEPS, END):
        if program.package in data:
            lines.append(f"- {short(program)}, {program.title}: {gain(data, program)}")
    return "".join(lines)


def each_alone(data: dict[str, Any], programs: Sequence[Program]) -> str:
    """Return a line for each program: how many of all tests pass, and which clauses it keeps."""
    lines = []
    for program in programs:
        if program.package in data:
            keeps = titled(kept(data, program))
            passes = f"passes {total(data, program)} of all tests"
            lines.append(f"- {program.title}: {passes}, and keeps {keeps}.\n")
        else:
            lines.append(f"- {program.title}: Not measured.\n")
    return "".join(lines)


def compared(data: dict[str, Any], first: Program, second: Program) -> str:
    """Return how many of all tests pass without settings (first) and with, and in which clauses they differ."""
    if not {first.package, second.package} <= data.keys():
        return "Not measured.\n"
    before, now = kept(data, first), kept(data, second)
    said = (
        f"Of all tests {total(data, first)} pass ({first.title}) or {total(data, second)} ({second.title}). "
        f"Kept with the settings, and not without: {titled(now - before)}."
    )
    if before - now:
        said += f" Kept only without: {titled(before - now)}."
    old, new = (data[program.package]["clauses"] for program in (first, second))
    others = (old.keys() & new.keys()) - (now ^ before)
    for words, sign in (("more", 1), ("fewer", -1)):
        passed = [
            f"{each} ({old[each]['passed']} to {new[each]['passed']} of {count(new[each])})"
            for each in CLAUSES
            if each in others and sign * (new[each]["passed"] - old[each]["passed"]) >= MARGIN
        ]
        if passed:
            said += f" With them {words} tests pass of {', '.join(passed)}."
    return f"{said}\n"


def seen(data: dict[str, Any]) -> str:
    """Return what a user sees of the clauses that programs do not keep, first in general."""
    lines = [f"- {clause}: {said}" for clause, said in SEEN.items()]
    lines += ["", "Some have a sentence of their own:", ""]
    programs_of: dict[str, list[str]] = {}  # by clause and sentence
    for program in (*STEPS, *FIRST, *BARE):
        clauses = clauses_of(data, program)
        own = {*OWN.get(program.package, ()), *CHOICES.get(program.package, ())}
        for clause in CLAUSES:
            if clause in own and clauses.get(clause, {}).get("outcome") == "not kept":
                said = f"{clause}: {note(program.package, clause)}"
                programs_of.setdefault(said, []).append(short(program))
    lines += [f"- {', '.join(names)}, {said}" for said, names in programs_of.items()]
    return "\n".join(lines) + "\n"


def short(program: Program) -> str:
    """Return a program's name in tables."""
    return program.package.removeprefix("ladder.").removeprefix("first.")


def made_on(data: dict[str, Any]) -> str:
    """Return when, and with what, this was measured."""
    dates = sorted({found["date"] for found in data.values()})
    versions = {
        name: number for found in data.values() for name, number in found["versions"].items()
    }
    words = ", ".join(f"{name} {number}" for name, number in versions.items())
    return (
        f"\nMeasured {' to '.join(dict.fromkeys((dates[0], dates[-1])))}, with {words}.\n"
        if data
        else ""
    )


if __name__ == "__main__":
    sys.exit(main())
