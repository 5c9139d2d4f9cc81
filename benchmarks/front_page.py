"""The README's first table, "pika, kombu or Celery?", and its sentence on the contract.

The words stand here. The figures are the published run's, the source's, and those of the last recorded runs of the
suite: docs/conformance.json for the three implementations, docs/ladder.json for what people write first. A new run
changes them, and so does a new line of code: `benchmarks.report` and `tests.documents` both write them.
"""

import json
from typing import Any, NamedTuple

from benchmarks.formatting import MISSING, briefly, milliseconds, rate
from benchmarks.lines import lines_of_code
from benchmarks.results import CALL, Run
from contract.clauses import CLAUSES
from contract.implementations import IMPLEMENTATIONS
from harness.program import PROJECT_ROOT

RECORD = PROJECT_ROOT / "docs" / "conformance.json"
LADDER = PROJECT_ROOT / "docs" / "ladder.json"
WIRE = "Wire"  # no promise to a caller, so it is counted apart
NUMBERED = CLAUSES.keys() - {WIRE}
COUNT = {1: "one", 2: "two", 3: "three"}


class Choice(NamedTuple):
    """One line of the table."""

    wanted: str
    take: str
    write: str  # before the number of lines
    packages: tuple[str, ...]  # whose lines are counted
    program: str  # whose calls are timed
    suite: str  # as what it was put through the suite


CHOICES = (
    Choice(
        "the layer nearest to RabbitMQ, with control of each message; you do not mind callbacks",
        "**pika**, as in [raw_pika](raw_pika/)",
        "a callback for each step of setting up; which thread uses the connection; connecting again; stopping",
        ("raw_pika",),
        "raw_pika",
        "raw_pika",
    ),
    Choice(
        "blocking calls on objects (connection, queue, consumer)",
        "**kombu**, as in [kombu_impl](kombu_impl/)",
        "which thread uses the connection; keeping an idle connection alive; connecting again; stopping",
        ("kombu_impl", "kombu_common"),
        "kombu_impl",
        "kombu_impl",
    ),
    Choice(
        "an answer now and then where Celery runs already; one that is late or lost does no harm",
        "**Celery** [as it comes](docs/celery-as-it-comes.md)",
        "a task",
        ("benchmarks.first_celery",),
        "first_celery",
        "ladder.first.celery",
    ),
    Choice(
        "an answer or an error by a deadline, where Celery runs already",
        "**Celery** with parts replaced, as in [celery_impl](celery_impl/)",
        "a client; replacements for Celery's consumer, requests and result backend",
        ("celery_impl", "kombu_common"),
        "celery_impl",
        "celery_impl",
    ),
    Choice(
        "a script, or to learn how RPC works",
        "[RabbitMQ's tutorial](docs/ladder.md#step-0-the-tutorial), on pika",
        "a loop that waits for the reply",
        ("ladder.step0",),
        "first_pika",
        "ladder.step0",
    ),
)


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
    """Return the table with a line for each of `CHOICES`, and what its columns mean."""
    lines = [
        f"| you want | take | you write yourself | what a call costs | it keeps, of {len(NUMBERED)} clauses |",
        "| --- | --- | --- | --- | --- |",
    ]
    for each in CHOICES:
        written = sum(lines_of_code(package) for package in each.packages)
        cells = (
            each.wanted,
            each.take,
            f"{each.write}: {written} lines",
            cost(run, each.program),
            kept(each.suite),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + (
        "\n\nLines are counted without comments; the three implementations share up to "
        f"{lines_of_code('rpc_core'):,} more, in [rpc_core/](rpc_core/). The cost is the time of one call, "
        "and calls per second with 100 at once, both [measured](#results). A *clause* is one numbered promise of "
        "[the contract](#the-contract-in-short); it is kept if all its tests pass "
        "([how that was counted](docs/ladder.md#what-each-step-keeps)).\n\n"
        f"**pika or kombu?** {pika_or_kombu(run)}"
    )


def pika_or_kombu(run: Run) -> str:
    """Return whether speed decides between them, for one call."""
    pika, kombu = run.entry(CALL, "raw_pika"), run.entry(CALL, "kombu_impl")
    if pika is None or kombu is None:
        return "It was not measured."
    ratio = kombu.over(pika)
    if ratio.differs:
        return f"One call on kombu takes {briefly(ratio)} times as long as on pika."
    return "The time of one call does not decide it: no clear difference was measured. The style of code does."


def cost(run: Run, program: str) -> str:
    """Return the time of one call, and the rate of many."""
    one = run.entry(CALL, program)
    many = run.hundred(program)
    if one is None or many is None:
        return MISSING
    return f"{milliseconds(one.time)}; {rate(many.rate)}/s"


def kept(suite: str) -> str:
    """Return how many of the numbered clauses a program kept when it was last put through the suite."""
    if suite in IMPLEMENTATIONS:
        found = sum(keeps(load(RECORD)["clauses"][clause], suite) for clause in NUMBERED)
        wire = keeps(load(RECORD)["clauses"][WIRE], suite)
        number = "all" if found == len(NUMBERED) else str(found)
        return f"{number}; works with RabbitMQ's tutorial" if wire else number
    ladder = load(LADDER)
    if suite not in ladder:
        return "not measured"
    clauses = ladder[suite]["clauses"]
    return str(sum(clauses.get(clause, {}).get("outcome") == "kept" for clause in NUMBERED))


def keeps(clause: Any, backend: str) -> bool:
    """Whether all of a clause's tests passed with an implementation."""
    found = clause["outcomes"].get(backend)
    return bool(found and found["passed"]) and not (
        found["failed"] or found["expected"] or found["not_run"]
    )


def contract() -> str:
    """Return what the last recorded run of the suite found of the three, as a sentence."""
    gaps, broken = [], []
    for name, clause in load(RECORD)["clauses"].items():
        for backend in IMPLEMENTATIONS:
            found = clause["outcomes"].get(backend, {})
            if found.get("expected") and not (found["failed"] or found["not_run"]):
                gaps.append(f"`{backend}` does not have {CLAUSES[name].title}")
            elif not keeps(clause, backend):
                broken.append(f"{name} ({backend})")
    result = f"not kept: {', '.join(broken)}" if broken else "all kept by all three"
    if gaps:
        result += f"; {COUNT.get(len(gaps), len(gaps))} declared gap{'s' * (len(gaps) > 1)}: "
        result += "; ".join(gaps)
    return (
        f"{len(NUMBERED)} [clauses](docs/contract.md) and "
        f"[the wire format](docs/on-the-wire.md), {result}."
    )


def load(path: Any) -> Any:
    """Return what a run recorded."""
    return json.loads(path.read_text())
