"""The README's first table, "pika, kombu or Celery?", and its sentence on the contract.

The table's words stand in choice.md. The figures are the published run's, the source's, and those of the last
recorded runs of the suite: docs/conformance.json for the three implementations, docs/ladder.json for what people
write first. A new run changes them, and so does a new line of code: `benchmarks.report` and `tests.documents` both
write them.
"""

import json
from pathlib import Path
from typing import Any

from benchmarks.formatting import MISSING, briefly, milliseconds, rate, times
from benchmarks.lines import lines_of_code
from benchmarks.results import Question, Run
from contract.clauses import CLAUSES
from harness.implementations import IMPLEMENTATIONS
from harness.program import PROJECT_ROOT

RECORD = PROJECT_ROOT / "docs" / "conformance.json"
LADDER = PROJECT_ROOT / "docs" / "ladder.json"
WIRE = "Wire"  # no promise to a caller, so it is counted apart
NUMBERED = CLAUSES.keys() - {WIRE}
COUNT = {1: "one", 2: "two", 3: "three"}


CHOICES = {
    "raw_pika": (["raw_pika"], "raw_pika"),
    "kombu_impl": (["kombu_impl", "kombu_common"], "kombu_impl"),
    "first_celery": (["benchmarks.first_celery"], "ladder.first.celery"),
    "celery_impl": (["celery_impl", "kombu_common"], "celery_impl"),
    "first_pika": (["ladder.step0"], "ladder.step0"),
}
"""By the program that is timed: the packages whose lines are counted, and as what it was put through the suite."""


def between(text: str, marker: str, content: str) -> str:
    """Return a text with what is between two markers replaced.

    Raises:
        ValueError: it has no such markers.
    """
    begin, end = f"<!-- {marker}:begin -->", f"<!-- {marker}:end -->"
    before, found, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise ValueError(f"no {begin} ... {end}")
    return f"{before}{begin}\n{content}\n{end}{after}"


def filled(readme: str, run: Run) -> str:
    """Return the README with both parts as they should be."""
    return between(between(readme, "choice", choice(run)), "contract", contract())


def choice(run: Run) -> str:
    """Return the table of `choice.md` with its figures."""
    text = Path(__file__).with_name("choice.md").read_text().rstrip()
    return text.format(
        clauses=len(NUMBERED),
        lines={program: sum(map(lines_of_code, each)) for program, (each, _) in CHOICES.items()},
        cost={program: cost(run, program) for program in CHOICES},
        kept={program: kept(suite) for program, (_, suite) in CHOICES.items()},
        shared=lines_of_code("rpc_core"),
        pika_or_kombu=pika_or_kombu(run),
    )


def pika_or_kombu(run: Run) -> str:
    """Return whether speed decides between them, for one call."""
    pika, kombu = run.entry(Question.CALL, "raw_pika"), run.entry(Question.CALL, "kombu_impl")
    if pika is None or kombu is None:
        return "It was not measured."
    ratio = kombu.over(pika)
    if ratio.differs:
        return f"One call on kombu takes {briefly(ratio)} times as long as on pika."
    return f"One call on kombu over one on pika: {times(ratio)}. So the style of code decides."


def cost(run: Run, program: str) -> str:
    """Return the time of one call, and the rate of many."""
    one = run.entry(Question.CALL, program)
    many = run.hundred(program)
    if one is None or many is None:
        return MISSING
    return f"{milliseconds(one.time)}; {rate(many.rate)}/s"


def kept(suite: str) -> str:
    """Return how many of the numbered clauses a program kept when it was last put through the suite."""
    if suite in IMPLEMENTATIONS:
        clauses = json.loads(RECORD.read_text())["clauses"]
        whole = [name for name in CLAUSES if is_kept(clauses[name]["outcomes"].get(suite))]
        found = len(NUMBERED.intersection(whole))
        number = "all" if found == len(NUMBERED) else str(found)
        return number + "; works with RabbitMQ's tutorial" * (WIRE in whole)
    ladder = json.loads(LADDER.read_text())
    if suite not in ladder:
        return "not measured"
    clauses = ladder[suite]["clauses"]
    return str(sum(clauses.get(clause, {}).get("outcome") == "kept" for clause in NUMBERED))


def is_kept(outcome: Any) -> bool:
    """Whether all tests of a clause passed."""
    return bool(outcome and outcome["passed"]) and not (
        outcome["failed"] or outcome["expected"] or outcome["not_run"]
    )


def contract() -> str:
    """Return what the last recorded run of the suite found of the three, as a sentence."""
    gaps, broken = [], []
    for name, clause in json.loads(RECORD.read_text())["clauses"].items():
        for backend in IMPLEMENTATIONS:
            found = clause["outcomes"].get(backend, {})
            if found.get("expected") and not (found["failed"] or found["not_run"]):
                gaps.append(f"`{backend}` does not have {CLAUSES[name].title}")
            elif not is_kept(found):
                broken.append(f"{name} ({backend})")
    result = f"not kept: {', '.join(broken)}" if broken else "all kept by all three"
    if gaps:
        number = COUNT.get(len(gaps), len(gaps))
        result += f"; {number} declared gap{'s' * (len(gaps) > 1)}: {'; '.join(gaps)}"
    return (
        f"{len(NUMBERED)} [clauses](docs/contract.md) and "
        f"[the wire format](docs/on-the-wire.md), {result}."
    )
