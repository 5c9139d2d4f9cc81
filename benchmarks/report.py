"""Everything that is published, from saved data alone: `python -m benchmarks.report`.

Without arguments, from the newest run in `benchmarks/results/`: `docs/report.html`, `docs/results.md`,
`docs/pictures/` and the README's results. With a run's JSON: a draft of the page beside it. `pytest --benchmark`
leaves one in `out/`.
"""

import argparse
import sys
from html import escape
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.results import (
    CALL,
    IN_FLIGHT,
    REPLY_SIZE,
    SERVERS,
    THREADS,
    Run,
    newest,
    publish,
)
from benchmarks.tables import Answer, answers, goals, summary
from benchmarks.words import NO_DIFFERENCE
from harness.program import PROJECT_ROOT

DRAFT = PROJECT_ROOT / "out" / "benchmark.json"
PAGE = PROJECT_ROOT / "docs" / "report.html"
RESULTS_PAGE = PROJECT_ROOT / "docs" / "results.md"
PICTURES = PROJECT_ROOT / "docs" / "pictures"
NUMBERS_PAGE = PROJECT_ROOT / "docs" / "reading-the-numbers.md"
README = PROJECT_ROOT / "README.md"

PICTURE_OF = {
    CALL: "latency.svg",
    IN_FLIGHT: "throughput.svg",
    THREADS: "threads.svg",
    SERVERS: "scale-out.svg",
    REPLY_SIZE: "reply-size.svg",
}


def main(argv: list[str] | None = None) -> int:
    """Write, or check, what is published; return 1 if something is stale or missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("run", nargs="?", type=Path, help="a saved run, for a draft beside it")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if stale")
    parser.add_argument(
        "--publish",
        action="store_true",
        help="first keep the run (default: out/benchmark.json) in benchmarks/results/",
    )
    arguments = parser.parse_args(argv)
    if arguments.run and not arguments.publish:
        summarise(arguments.run)
        return 0
    if arguments.publish:
        draft = arguments.run or DRAFT
        if not draft.exists():
            return complain(f"{draft} is not there: run `pytest --benchmark` first")
        publish(draft)
    found = newest()
    if found is None:
        return complain("no saved run: `pytest --benchmark`, then this with --publish")
    return check(Run.load(found)) if arguments.check else write(Run.load(found))


def complain(problem: str) -> int:
    """Print one line to standard error and return 1."""
    print(f"benchmarks.report: {problem}", file=sys.stderr)
    return 1


# -- what is published -----------------------------------------------------------------------------------


def published(run: Run) -> dict[Path, str]:
    """Return every published file with what should be in it."""
    drawn = draw(run)
    files = {PICTURES / name: text for name, text in drawn.items()}
    files[PAGE] = page(run, drawn)
    files[RESULTS_PAGE] = results_page(run)
    if README.exists():
        files[README] = with_results(README.read_text(), run)
        files[NUMBERS_PAGE] = between(NUMBERS_PAGE.read_text(), "goals", markdown_table(goals(run)))
    return files


def draw(run: Run) -> dict[str, str]:
    """Return the pictures that the run has data for, as SVG by file name."""
    # here: matplotlib takes half a second to import, and each process of the tests imports this module
    try:
        from benchmarks.pictures import pictures
    except ModuleNotFoundError as error:
        sys.exit(f"the pictures need {error.name}: pip install --editable '.[dev,pictures]'")
    return pictures(run)


def write(run: Run) -> int:
    """Write what is published."""
    for path, text in published(run).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path.relative_to(PROJECT_ROOT))
    return 0


def check(run: Run) -> int:
    """Compare what is published with what should be."""
    files = published(run)
    stale = [p for p, text in files.items() if not p.exists() or p.read_text() != text]
    for path in stale:
        complain(f"{path.relative_to(PROJECT_ROOT)} is stale: run `make report`")
    return 1 if stale else 0


def with_results(readme: str, run: Run) -> str:
    """Return the README with its picture and its results section made anew."""
    readme = between(readme, "picture", picture_link(run, CALL))
    return between(readme, "results", readme_section(run))


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


def picture_link(run: Run, question: str, folder: str = "docs/") -> str:
    """Return a picture in Markdown, if there is one and the run has data for it."""
    name = PICTURE_OF.get(question)
    return f"![{question}]({folder}pictures/{name})" if name and run.entries(question) else ""


def readme_section(run: Run) -> str:
    """Return the short answer as Markdown."""
    short = summary(run)
    parts = [markdown_table(short), short.about]
    parts += [picture_link(run, question) for question in (IN_FLIGHT, SERVERS)]
    parts.append(
        f"{run.caption}\n\n[All results](docs/results.md): a table, a picture and a sentence or two for each; "
        "also as [one page](docs/report.html) that needs no network."
    )
    return "\n\n".join(filter(None, parts))


def results_page(run: Run) -> str:
    """Return all results as a page of Markdown."""
    parts = ["# Results", f"{run.caption} [Reading the numbers](reading-the-numbers.md) says how."]
    for answer in [summary(run), *answers(run)]:
        sentences = "\n".join(f"- {each}" for each in answer.sentences)
        picture = picture_link(run, answer.question, "")
        parts += [f"## {answer.question}", answer.about, picture, sentences, markdown_table(answer)]
    return "\n\n".join(filter(None, parts)) + "\n"


def markdown_table(answer: Answer) -> str:
    """Return an answer's table in Markdown."""
    width = len(answer.headings)
    rule = ["---", *["---:"] * (width - 1)]
    table = [answer.headings, rule, *(line + [""] * (width - len(line)) for line in answer.lines)]
    return "\n".join(f"| {' | '.join(line)} |" for line in table)


# -- the terminal ---------------------------------------------------------------------------------------


def summarise(path: Path, console: Console | None = None) -> None:
    """Print a run's short answer and what its curves say, and leave the page beside it."""
    run = Run.load(path)
    console = console or Console(highlight=False, width=None if sys.stdout.isatty() else 115)
    short = summary(run)
    table = Table(title=short.question, title_justify="left", box=SIMPLE_HEAD)
    for number, heading in enumerate(short.headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=number in (0, 1))
    for line in short.lines:
        table.add_row(*line, style="red" if len(line) == 2 else None)
    if short.lines:
        console.print(table)
    for answer in answers(run):
        if answer.sentences:
            console.print(f"[bold]{answer.question}[/bold]")
        for sentence in answer.sentences:
            console.print(f"  {sentence}", soft_wrap=True)
    for void in run.voids:
        where = ", ".join(f"{name} {value}" for name, value in void["params"].items())
        console.print(
            f"[red]void[/red]: {void['group']} ({where}): {void['reason']}", soft_wrap=True
        )
    console.print(f"[dim]{run.caption}[/dim]", soft_wrap=True)
    page_path = (
        path.with_name("report.html") if path.stem == "benchmark" else path.with_suffix(".html")
    )
    page_path.write_text(page(run, draw(run)))
    console.print(
        f"{run.data.get('seconds')} s of measuring; data: {path}; page: {page_path}", soft_wrap=True
    )


# -- the page -------------------------------------------------------------------------------------------

CSS = """
:root { color-scheme: light dark; --ink: #1f2937; --dim: #6b7280; --line: #e5e7eb; --back: #fff; --bad: #b91c1c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e5e7eb; --dim: #9ca3af; --line: #374151; --back: #111827; --bad: #fca5a5; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
  max-width: 46rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .25rem; }
p, li { overflow-wrap: break-word; } .about, .caption { color: var(--dim); font-size: .875rem; }
figure { margin: 1rem 0; padding: .5rem; background: #fff; border: 1px solid var(--line); border-radius: 6px; }
figure svg { display: block; width: 100%; max-width: 36rem; height: auto; margin: auto; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .875rem; width: 100%; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: baseline;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
th { font-weight: 600; white-space: normal; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
td.same { white-space: normal; color: var(--dim); min-width: 6rem; }
td small { display: block; color: var(--dim); }
td.void { color: var(--bad); text-align: left; white-space: normal; }
ul { padding-left: 1.1rem; }
"""


def page(run: Run, drawn: dict[str, str]) -> str:
    """Return the whole report as one page that needs no network."""
    sections = "\n".join(
        section(answer, drawn.get(PICTURE_OF.get(answer.question, ""))) for answer in answers(run)
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>What each layer costs</title>
<style>{CSS}</style>
</head>
<body>
<h1>What each layer costs: one RPC service on pika, on kombu and on Celery</h1>
<p class="caption">{escape(run.caption)}</p>
{section(summary(run), None)}
{sections}
</body>
</html>
"""


def section(answer: Answer, picture: str | None) -> str:
    """Return one answer: what it is about, its picture, what that says, its table."""
    parts = [
        f"<h2>{escape(answer.question)}</h2>",
        f'<p class="about">{escape(answer.about)}</p>',
    ]
    if picture:
        parts.append(f"<figure>{picture}</figure>")
    if answer.sentences:
        items = "".join(f"<li>{escape(each)}</li>" for each in answer.sentences)
        parts.append(f"<ul>{items}</ul>")
    parts.append(html_table(answer))
    return "\n".join(parts)


def html_table(answer: Answer) -> str:
    """Return an answer's table as HTML; a void row has one wide cell."""
    head = "".join(f"<th>{escape(each)}</th>" for each in answer.headings)
    body = []
    for line in answer.lines:
        if len(line) == 2 and line[1].startswith("void"):
            wide = len(answer.headings) - 1
            cells = f'<td>{escape(line[0])}</td><td class="void" colspan="{wide}">{escape(line[1])}</td>'
        else:
            cells = "".join(map(html_cell, line))
        body.append(f"<tr>{cells}</tr>")
    rows = "\n".join(body)
    return f'<div class="scroll"><table>\n<tr>{head}</tr>\n{rows}\n</table></div>'


def html_cell(text: str) -> str:
    """Return a cell; a ratio's spread goes below it, so that the table stays narrow."""
    figure, bracket, rest = text.partition(" (")
    if text.startswith(NO_DIFFERENCE):
        return f'<td class="same">{text}</td>'
    return f"<td>{escape(figure)}{f'<small>{escape(rest[:-1])}</small>' if bracket else ''}</td>"


if __name__ == "__main__":
    sys.exit(main())
