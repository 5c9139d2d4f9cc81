"""Everything that is published, from saved data alone: `python -m benchmarks.report`.

Without arguments, from the newest run in `benchmarks/results/`: `docs/report.html`, `docs/results.md`,
`docs/pictures/`, the README's results and the budget in `docs/reading-the-numbers.md`. With a run's JSON: a draft
of the page beside it. `pytest --benchmark` leaves one in `out/`.
"""

import argparse
import sys
from html import escape
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks import front_page
from benchmarks.front_page import between
from benchmarks.results import (
    CALL,
    IN_FLIGHT,
    REPLY_SIZE,
    SCALE,
    THREADS,
    Run,
    publish,
    publishable,
    published,
)
from benchmarks.tables import INVALID, Answer, answers, budget, headline, summary, versions
from harness.program import PROJECT_ROOT

DRAFT = PROJECT_ROOT / "out" / "benchmark.json"
PAGE = Path("docs/report.html")
RESULTS_PAGE = Path("docs/results.md")
PICTURES = Path("docs/pictures")
NUMBERS_PAGE = Path("docs/reading-the-numbers.md")
README = Path("README.md")

PICTURE_OF = {
    CALL: "latency.svg",
    IN_FLIGHT: "throughput.svg",
    THREADS: "threads.svg",
    SCALE: "scale-out.svg",
    REPLY_SIZE: "reply-size.svg",
}


def main(argv: list[str] | None = None) -> int:
    """Write, or check, what is published; return 1 if something is stale, missing or not fit to be published."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("run", nargs="?", type=Path, help="a saved run, for a draft beside it")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if stale")
    parser.add_argument(
        "--publish",
        action="store_true",
        help="first keep the run (default: out/benchmark.json) in benchmarks/results/",
    )
    arguments = parser.parse_args(argv)
    try:
        if arguments.publish:
            saved = arguments.run or DRAFT
            draw(Run(publishable(saved)))  # before anything is kept
            publish(saved)
        elif arguments.run:
            summarise(arguments.run)
            return 0
        runs = published()
        if not runs:
            return complain("no saved run: `make publish`")
        return check(runs) if arguments.check else write(runs)
    except (OSError, ValueError) as error:
        return complain(str(error))
    except ModuleNotFoundError as error:
        return complain(f"{without_pictures(error)}, and nothing is published without them")


def complain(problem: str) -> int:
    """Print one line to standard error and return 1."""
    print(f"benchmarks.report: {problem}", file=sys.stderr)
    return 1


def without_pictures(error: ModuleNotFoundError) -> str:
    """Return what to do when pictures cannot be drawn."""
    return f"the pictures need {error.name}: pip install --editable '.[dev,pictures]'"


# -- what is published -----------------------------------------------------------------------------------


def files(runs: list[Run]) -> dict[Path, str]:
    """Return every published file, relative to the project, with what should be in it."""
    run = runs[0]
    drawn = draw(run)
    found = {PICTURES / name: text for name, text in drawn.items()}
    found[PAGE] = page(run, drawn, runs)
    found[RESULTS_PAGE] = results_page(run, runs)
    readme = front_page.filled((PROJECT_ROOT / README).read_text(), run)
    found[README] = between(readme, "results", readme_section(run))
    numbers = (PROJECT_ROOT / NUMBERS_PAGE).read_text()
    found[NUMBERS_PAGE] = between(
        numbers, "budget", f"{markdown_table(budget(run))}\n\n{run.caption}"
    )
    return found


def draw(run: Run) -> dict[str, str]:
    """Return the pictures that the run has data for, as SVG by file name.

    Raises:
        ModuleNotFoundError: matplotlib, of the optional group `pictures`, is not installed.
    """
    # here: matplotlib takes half a second to import, and each process of the tests imports this module
    from benchmarks.pictures import pictures

    return pictures(run)


def write(runs: list[Run]) -> int:
    """Write what is published."""
    for path, text in files(runs).items():
        (PROJECT_ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (PROJECT_ROOT / path).write_text(text)
        print(path)
    return 0


def check(runs: list[Run]) -> int:
    """Compare what is published with what should be."""
    stale = 0
    for path, text in files(runs).items():
        there = PROJECT_ROOT / path
        if not there.exists() or there.read_text() != text:
            stale = complain(f"{path} is stale: run `make report`")
    return stale


def picture_link(run: Run, question: str, folder: str = "docs/") -> str:
    """Return a picture in Markdown, if there is one and the run has data for it."""
    name = PICTURE_OF.get(question)
    return f"![{question}]({folder}pictures/{name})" if name and run.entries(question) else ""


def readme_section(run: Run) -> str:
    """Return the short answer as Markdown."""
    short = headline(run)
    return (
        f"{markdown_table(short)}\n\n{short.about} {run.brief_caption} "
        "[All results](docs/results.md) have the ranges, and a table or picture for each question; also as "
        "[one page](docs/report.html) that needs no network."
    )


WITHIN = (
    "Each question was measured in passes of its own: compare within a table. "
    "[Reading the numbers](reading-the-numbers.md) says how."
)


def results_page(run: Run, runs: list[Run]) -> str:
    """Return all results as a page of Markdown."""
    parts = ["# Results", f"{run.caption} {WITHIN}"]
    for answer in [*answers(run), versions(runs)]:
        if answer.lines:
            picture = picture_link(run, answer.question, "")
            parts += [f"## {answer.question}", answer.about, picture, markdown_table(answer)]
    return "\n\n".join(filter(None, parts)) + "\n"


def markdown_table(answer: Answer) -> str:
    """Return an answer's table in Markdown."""
    width = len(answer.headings)
    rule = ["---", *["---:"] * (width - 1)]
    table = [answer.headings, rule, *(line + [""] * (width - len(line)) for line in answer.lines)]
    return "\n".join(f"| {' | '.join(line)} |" for line in table)


# -- the terminal ---------------------------------------------------------------------------------------


def console() -> Console:
    """Return a console that is wide enough for our tables where nobody looks."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 130)


def terminal_table(answer: Answer) -> Table:
    """Return an answer's table for the terminal, with the reasons of invalid measurements below it."""
    table = Table(
        title=answer.question, title_justify="left", caption_justify="left", box=SIMPLE_HEAD
    )
    for number, heading in enumerate(answer.headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=number in (0, 1))
    invalid = [line for line in answer.lines if line[1].startswith(INVALID)]
    for line in answer.lines:
        if line in invalid:  # its reason would widen the column
            table.add_row(line[0], "invalid", style="red")
        else:
            table.add_row(*line)
    table.caption = "\n".join(f"{line[0]}: {line[1]}" for line in invalid) or None
    return table


def summarise(path: Path) -> None:
    """Print a run's short answer, and leave the page beside it."""
    run = Run.load(path)
    out = console()
    if (short := summary(run)).lines:
        out.print(terminal_table(short))
    for each in run.invalid:
        where = ", ".join(f"{name} {value}" for name, value in each["params"].items())
        out.print(f"[red]{INVALID}[/red]{each['reason']} ({each['group']} {where})", soft_wrap=True)
    page_path = (
        path.with_name("report.html") if path.stem == "benchmark" else path.with_suffix(".html")
    )
    try:
        drawn = draw(run)
    except ModuleNotFoundError as error:
        drawn = {}
        out.print(f"[dim]The page has no pictures: {without_pictures(error)}[/dim]", soft_wrap=True)
    page_path.write_text(page(run, drawn, [run]))
    seconds = run.data.get("seconds")
    out.print(f"[dim]{run.caption}[/dim]", soft_wrap=True)
    out.print(f"{seconds} s of measuring; data: {path}; page: {page_path}", soft_wrap=True)


# -- the page -------------------------------------------------------------------------------------------

CSS = """
:root { color-scheme: light dark; --ink: #1f2937; --dim: #4b5563; --line: #e5e7eb; --back: #fff; --bad: #b91c1c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e5e7eb; --dim: #9ca3af; --line: #374151; --back: #111827; --bad: #fca5a5; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
  max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .25rem; }
p { overflow-wrap: break-word; max-width: 46rem; } .about, .caption { color: var(--dim); font-size: .875rem; }
figure { margin: 1rem 0; } figure svg { display: block; width: 100%; max-width: 36rem; height: auto; }
.scroll { overflow-x: auto; scrollbar-width: thin; scrollbar-color: var(--dim) var(--line);
  background: linear-gradient(to left, var(--back) 40%, transparent) right / 3rem 100% no-repeat local,
    linear-gradient(to left, #80808066, transparent) right / .75rem 100% no-repeat scroll; }
table { border-collapse: separate; border-spacing: 0; font-size: .8125rem; }
th, td { padding: .3rem .55rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: baseline;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
th { font-weight: 600; white-space: normal; max-width: 8rem; vertical-align: bottom; min-width: 2.5rem; }
th:first-child, td:first-child { position: sticky; left: 0; background: var(--back); text-align: left;
  white-space: normal; min-width: 6.5rem; border-right: 1px solid var(--line); }
td.words { white-space: normal; color: var(--dim); min-width: 6rem; }
td small { display: block; color: var(--dim); }
td.invalid { color: var(--bad); text-align: left; white-space: normal; }
"""


def page(run: Run, drawn: dict[str, str], runs: list[Run]) -> str:
    """Return the whole report as one page that needs no network."""
    sections = "\n".join(
        section(each, drawn.get(PICTURE_OF.get(each.question, "")))
        for each in [*answers(run), versions(runs)]
        if each.lines
    )
    within = WITHIN.partition(" [")[0]
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
<p class="caption">{escape(run.caption)} {within}</p>
{sections}
</body>
</html>
"""


def section(answer: Answer, picture: str | None) -> str:
    """Return one answer: what it is about, its picture, its table."""
    head = "".join(f"<th>{escape(each)}</th>" for each in answer.headings)
    rows = "\n".join(f"<tr>{html_cells(line, len(answer.headings))}</tr>" for line in answer.lines)
    return f"""<h2>{escape(answer.question)}</h2>
<p class="about">{escape(answer.about)}</p>
{f"<figure>{picture}</figure>" if picture else ""}
<div class="scroll" tabindex="0"><table>
<tr>{head}</tr>
{rows}
</table></div>"""


def html_cells(line: list[str], width: int) -> str:
    """Return a line's cells; an invalid measurement has one wide cell, and what is in brackets goes below."""
    cells = [f"<td>{escape(line[0])}</td>"]
    for text in line[1:]:
        figure, bracket, rest = text.partition(" (")
        small = f"<small>{escape(rest[:-1])}</small>" if bracket else ""
        if text.startswith(INVALID):
            cells.append(f'<td class="invalid" colspan="{width - 1}">{escape(text)}</td>')
        elif figure[:1].isalpha():
            cells.append(f'<td class="words">{escape(figure)}{small}</td>')
        else:
            cells.append(f"<td>{escape(figure)}{small}</td>")
    return "".join(cells)


if __name__ == "__main__":
    sys.exit(main())
