"""Everything that is published, from saved data alone: `python -m benchmarks.report`.

Without arguments, from the newest run in `benchmarks/results/`: `docs/report.html`, `docs/results.md`,
`docs/pictures/`, the README's results and the budget in `docs/reading-the-numbers.md`. With a run's JSON: a draft
of the page beside it. `pytest --benchmark` leaves one in `out/`.
"""

import argparse
import sys
from html import escape
from pathlib import Path
from string import Template

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks import front_page
from benchmarks.front_page import between
from benchmarks.results import Run, publish, publishable, published
from benchmarks.tables import INVALID, Answer, answers, budget, headline, summary
from harness.program import PROJECT_ROOT

DRAFT = PROJECT_ROOT / "out" / "benchmark.json"
PAGE = Path("docs/report.html")
RESULTS_PAGE = Path("docs/results.md")
NUMBERS_PAGE = Path("docs/reading-the-numbers.md")
README = Path("README.md")


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
            data = publishable(arguments.run or DRAFT)
            draw(Run(data))  # before anything is kept
            publish(data)
        elif arguments.run:
            summarise(arguments.run)
            return 0
        runs = published()
        if not runs:
            return complain("no saved run: `make publish`")
        return update(runs, check=arguments.check)
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
    readme = front_page.filled((PROJECT_ROOT / README).read_text(), run)
    numbers = (PROJECT_ROOT / NUMBERS_PAGE).read_text()
    one_call = f"{markdown_table(budget(run))}\n\n{run.caption()}"
    return {
        **{Path("docs/pictures", name): text for name, text in drawn.items()},
        PAGE: page(runs, drawn),
        RESULTS_PAGE: results_page(runs, drawn),
        README: between(readme, "results", readme_section(run)),
        NUMBERS_PAGE: between(numbers, "budget", one_call),
    }


def draw(run: Run) -> dict[str, str]:
    """Return the pictures that the run has data for, as SVG by file name.

    Raises:
        ModuleNotFoundError: matplotlib, of the optional group `pictures`, is not installed.
    """
    # here: matplotlib takes half a second to import, and each process of the tests imports this module
    from benchmarks.pictures import pictures

    return pictures(run)


def update(runs: list[Run], *, check: bool) -> int:
    """Write what is published, or only compare it with what should be."""
    stale = 0
    for path, text in files(runs).items():
        there = PROJECT_ROOT / path
        if not check:
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_text(text)
            print(path)
        elif not there.exists() or there.read_text() != text:
            stale = complain(f"{path} is stale: run `make report`")
    return stale


def readme_section(run: Run) -> str:
    """Return the short answer as Markdown."""
    short = headline(run)
    return (
        f"{markdown_table(short)}\n\n{short.about} {run.caption(brief=True)} "
        "[All results](docs/results.md) have the ranges, and a table or picture for each question; also as "
        "[one page](docs/report.html) that needs no network."
    )


WITHIN = (
    "Each question was measured in passes of its own: compare within a table. "
    "[Reading the numbers](reading-the-numbers.md) says how."
)


def results_page(runs: list[Run], drawn: dict[str, str]) -> str:
    """Return all results as a page of Markdown."""
    parts = ["# Results", f"{runs[0].caption()} {WITHIN}"]
    for answer in answers(runs):
        parts += [f"## {answer.question}", answer.about]
        if answer.picture in drawn:
            parts.append(f"![{answer.question}](pictures/{answer.picture})")
        parts.append(markdown_table(answer))
    return "\n\n".join(parts) + "\n"


def markdown_table(answer: Answer) -> str:
    """Return an answer's table in Markdown."""
    width = len(answer.headings)
    rule = ["---", *["---:"] * (width - 1)]
    table = [answer.headings, rule, *(line + [""] * (width - len(line)) for line in answer.lines)]
    return "\n".join(f"| {' | '.join(line)} |" for line in table)


# -- the terminal ---------------------------------------------------------------------------------------


def console() -> Console:
    """Return a console that is wide enough for our tables where nobody looks."""
    # no markup: a reason may have square brackets
    return Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 130)


def terminal_table(answer: Answer) -> Table:
    """Return an answer's table for the terminal, with the reasons of invalid measurements below it."""
    table = Table(
        title=answer.question, title_justify="left", caption_justify="left", box=SIMPLE_HEAD
    )
    for number, heading in enumerate(answer.headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=number in (0, 1))
    reasons = []
    for line in answer.lines:
        if line[1].startswith(INVALID):  # its reason would widen the column
            table.add_row(line[0], "invalid", style="red")
            reasons.append(": ".join(line))
        else:
            table.add_row(*line)
    table.caption = "\n".join(reasons) or None
    return table


def summarise(path: Path) -> None:
    """Print a run's short answer, and leave the page beside it."""
    run = Run.load(path)
    out = console()
    if (short := summary(run)).lines:
        out.print(terminal_table(short))
    for each in run.invalid:
        where = ", ".join(f"{name} {value}" for name, value in each["params"].items())
        reason = f"{INVALID}{each['reason']} ({each['group']} {where})"
        out.print(reason, style="red", soft_wrap=True)
    page_path = (
        path.with_name("report.html") if path.stem == "benchmark" else path.with_suffix(".html")
    )
    try:
        drawn = draw(run)
    except ModuleNotFoundError as error:
        drawn = {}
        problem = f"The page has no pictures: {without_pictures(error)}"
        out.print(problem, style="dim", soft_wrap=True)
    page_path.write_text(page([run], drawn))
    out.print(run.caption(), style="dim", soft_wrap=True)
    seconds = run.data["seconds"]
    out.print(f"{seconds} s of measuring; data: {path}; page: {page_path}", soft_wrap=True)


# -- the page -------------------------------------------------------------------------------------------


def page(runs: list[Run], drawn: dict[str, str]) -> str:
    """Return the whole report as one page that needs no network."""
    template = Template(Path(__file__).with_name("page.html").read_text())
    caption = f"{escape(runs[0].caption())} {WITHIN.partition(' [')[0]}"
    sections = "\n".join(section(each, drawn.get(each.picture or "")) for each in answers(runs))
    return template.substitute(caption=caption, sections=sections)


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
        if text.startswith(INVALID):
            cells.append(f'<td class="invalid" colspan="{width - 1}">{escape(text)}</td>')
            continue
        figure, bracket, rest = text.partition(" (")
        small = f"<small>{escape(rest[:-1])}</small>" if bracket else ""
        words = ' class="words"' if figure[:1].isalpha() or ", " in figure else ""
        cells.append(f"<td{words}>{escape(figure)}{small}</td>")
    return "".join(cells)


if __name__ == "__main__":
    sys.exit(main())
