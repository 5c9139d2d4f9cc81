"""The pictures, as SVG text: the same data give the same bytes, so that a check can tell when one is stale."""

import io
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from benchmarks.formatting import milliseconds, rate
from benchmarks.measure import quartiles
from benchmarks.programs import BARE, BASELINE, FIRST, title
from benchmarks.results import Entry, Question, Run
from benchmarks.tables import WORDS

COLOURS = {
    BASELINE: "#6b7280",
    "raw_pika": "#0072b2",
    "kombu_impl": "#c2410c",
    "celery_impl": "#15803d",
}
OTHERS = ("#7c3aed", "#a16207", "#be185d")
WIDTH = 5.2  # inches, so that text has its size on a telephone

STYLE = mpl.rc_params_from_file(
    Path(__file__).with_name("pictures.mplstyle"), use_default_template=False
)
INK, GRID = STYLE["text.color"], STYLE["grid.color"]
"""Placeholders: what is drawn with these follows the reader's light or dark mode."""
MODES = (
    "svg { --ink: #1f2937; --grid: #e5e7eb } "
    "@media (prefers-color-scheme: dark) { svg { --ink: #e5e7eb; --grid: #374151 } }"
)


def pictures(run: Run) -> dict[str, str]:
    """Return the pictures that the run has data for, as SVG by file name."""
    found = {}
    for question, draw in MAKERS.items():
        words = dict(WORDS[question.name.lower()]["picture"])
        name, height = words.pop("file"), words.pop("height")
        with mpl.rc_context(STYLE | {"svg.hashsalt": name}):
            figure = Figure(figsize=(WIDTH, height), layout="constrained")
            axes = figure.add_subplot(**words)
            if run.entries(question):
                draw(axes, run)
            if axes.get_legend_handles_labels()[0]:
                figure.legend(loc="outside lower center", ncols=2)
            if axes.has_data():
                found[name] = svg(figure, question)
    return found


def svg(figure: Figure, description: str) -> str:
    """Return a figure as SVG that scales with the page, follows its light or dark mode and says what it shows."""
    out = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(out, format="svg", metadata=nothing)
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'width="[^"]*" height="[^"]*"', ' role="img"', text, count=1)
    text = text.replace(">", f">\n <title>{description}</title>\n <style>{MODES}</style>\n", 1)
    text = text.replace(INK, "var(--ink)").replace(GRID, "var(--grid)")
    text = re.sub(r"font-family: [^;\"]*(?=[;\"])", "font-family: sans-serif", text)
    text = re.sub(r"\d+\.\d{2,}", lambda number: f"{float(number[0]):.2f}", text)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def look(program: str) -> dict[str, Any]:
    """Return a program's colour and line: a layer has the same colour as documented, with a broken line."""
    layer = next((here for here, first in FIRST.items() if first == program), program)
    own = COLOURS.get(layer) or OTHERS[sum(map(ord, layer)) % len(OTHERS)]
    return {"color": own, "ls": "-" if program in COLOURS else "--"}


def latency(axes: Axes, run: Run) -> None:
    """Draw how the times of single calls are distributed, one ridge for each program."""
    entries = [
        e
        for e in run.entries(Question.CALL)
        if e.info["quantiles"] and e.program not in BARE.values()
    ]
    if not entries:
        return
    shares = np.linspace(0.001, 0.98, 500)  # the slowest are in the table
    entries.sort(key=lambda entry: -entry.time)
    if figure := axes.get_figure(root=True):
        figure.set_figheight(figure.get_figheight() + 0.55 * len(entries))
    logs = [
        np.interp(shares, run.data["quantiles"], np.log10(e.info["quantiles"])) for e in entries
    ]
    ridges = axes.violinplot(
        logs, range(len(entries)), orientation="horizontal", side="high", widths=1.5,
        showextrema=False, points=60,
    )  # fmt: skip
    bodies: Any = ridges["bodies"]
    right = max(float(each.max()) for each in logs) + 0.3  # room for the figures
    for place, (entry, body) in enumerate(zip(entries, bodies, strict=True)):
        body.set(facecolor=look(entry.program)["color"], alpha=0.75)
        median = np.log10(entry.time)
        axes.plot([median] * 2, [place, place + 0.3], color=INK, lw=1.4)
        axes.text(right, place + 0.1, milliseconds(entry.time), ha="right", fontweight="bold")
    axes.set_yticks(range(len(entries)), [title(e.program) for e in entries])
    axes.tick_params(axis="y", length=0)
    left = min(float(each.min()) for each in logs) - 0.06
    marks = LogLocator(subs=(1, 2, 5)).tick_values(10**left, 10**right)
    axes.set_xticks(np.log10(marks), [f"{mark * 1000:g}" for mark in marks])
    axes.set_xlim(left, right)


def series(run: Run, question: str, name: str, **params: Any) -> dict[str, list[Entry]]:
    """Return the entries of each program over a parameter; the bare layers are in the tables alone."""
    found = {}
    for program in run.programs(question):
        entries = run.entries(question, program=program, **params)
        if entries and program not in BARE.values() and not run.why_invalid(question, program):
            found[program] = sorted(entries, key=lambda e: float(e.params[name]))
    return found


def curves(axes: Axes, run: Run, *, question: str, name: str, **params: Any) -> None:
    """Draw the rate of every program against a parameter, with its interquartile range; both axes logarithmic."""
    for program, entries in series(run, question, name, **params).items():
        x = [e.params[name] for e in entries]
        ranges = [quartiles([1 / time for time in e.passes]) for e in entries]
        low, high = [each.low for each in ranges], [each.high for each in ranges]
        axes.fill_between(x, low, high, color=look(program)["color"], alpha=0.15, lw=0)
        axes.plot(x, [e.rate for e in entries], marker="o", label=title(program), **look(program))
    axes.set(xscale="log", yscale="log")
    xs = run.values(question, name, **params)
    axes.set_xticks(xs, [f"{x:,}" for x in xs])
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(lambda y, _: rate(y))
    axes.minorticks_off()


def scale_out(axes: Axes, run: Run) -> None:
    """Draw the speed-up against the ideal line."""
    counts = run.values(Question.SCALE, "servers")
    axes.plot(counts, counts, color=INK, lw=1, ls=":", label="ideal")
    for program, entries in series(run, Question.SCALE, "servers", clients=1).items():
        ups = [e.rate_over(entries[0]).quartiles for e in entries]
        axes.errorbar(
            [e.params["servers"] for e in entries],
            [up.median for up in ups],
            yerr=[[up.median - up.low for up in ups], [up.high - up.median for up in ups]],
            color=look(program)["color"],
            marker="o",
            ls="",
            capsize=2,
            lw=1.2,
            alpha=0.75,
            label=f"{title(program)}: {ups[-1].median:.2f}",
        )
    axes.set(xticks=counts, yticks=counts)


def reply_size(axes: Axes, run: Run) -> None:
    """Draw the time of a call against the digits of its reply."""
    for program, entries in series(run, Question.REPLY_SIZE, "n").items():
        x = [e.info["digits"] for e in entries]
        y = [e.time * 1000 for e in entries]
        axes.plot(x, y, marker="o", label=title(program), **look(program))
    axes.set_ylim(0, None)


MAKERS: dict[Question, Callable[[Axes, Run], None]] = {
    Question.CALL: latency,
    Question.IN_FLIGHT: partial(curves, question=Question.IN_FLIGHT, name="window", prefetch=20),
    Question.THREADS: partial(curves, question=Question.THREADS, name="threads"),
    Question.SCALE: scale_out,
    Question.REPLY_SIZE: reply_size,
}
