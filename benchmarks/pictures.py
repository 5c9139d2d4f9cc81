"""The pictures, as SVG text: the same data give the same bytes, so that a check can tell when one is stale."""

import io
import math
import re
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmarks.results import CALL, IN_FLIGHT, REPLY_SIZE, SERVERS, THREADS, Entry, Run
from benchmarks.rows import BARE, FIRST, FLOOR, title
from benchmarks.words import milliseconds, rate

COLOURS = {
    FLOOR: "#6b7280",
    "raw_pika": "#0072b2",
    "kombu_impl": "#c2410c",
    "celery_impl": "#15803d",
}
OTHERS = ("#7c3aed", "#a16207", "#be185d")
WIDTH = 5.2  # inches, so that text has its size on a telephone

STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: it can be searched, and read aloud
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e5e7eb",
    "figure.facecolor": "white",
    "lines.linewidth": 1.8,
}


def pictures(run: Run) -> dict[str, str]:
    """Return the pictures that the run has data for, as SVG by file name."""
    makers: dict[str, tuple[str, Callable[[Run], Figure | None]]] = {
        "latency.svg": (CALL, latency),
        "throughput.svg": (IN_FLIGHT, throughput),
        "threads.svg": (THREADS, threads),
        "scale-out.svg": (SERVERS, scale_out),
        "reply-size.svg": (REPLY_SIZE, reply_size),
    }
    found = {}
    for name, (question, maker) in makers.items():
        with mpl.rc_context(STYLE), mpl.rc_context({"svg.hashsalt": name}):
            figure = maker(run) if run.entries(question) else None
            if figure is not None:
                found[name] = svg(figure, question)
    return found


def svg(figure: Figure, description: str) -> str:
    """Return a figure as SVG that scales with the page and says what it shows."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", text, count=1)
    text = re.sub(r'<svg ([^>]*?)height="[^"]*"', r'<svg \1role="img"', text, count=1)
    head = text.index(">") + 1
    text = f"{text[:head]}\n <title>{description}</title>{text[head:]}"
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def colour(row: str) -> str:
    """Return a row's colour: a layer has the same, as its documentation begins and here."""
    layer = next((here for here, first in FIRST.items() if first == row), row)
    return COLOURS.get(layer) or OTHERS[sum(map(ord, layer)) % len(OTHERS)]


def latency(run: Run) -> Figure | None:
    """Draw how the times of single calls are distributed, one ridge for each row."""
    entries = [e for e in run.entries(CALL) if e.info["quantiles"] and e.row not in BARE.values()]
    if not entries:
        return None
    entries.sort(key=lambda entry: float(entry.info["p50"]))
    at = np.array(run.data["quantiles"])
    shares = np.linspace(0.001, 0.99, 2000)  # the slowest hundredth is in the table
    samples = {e.row: np.log10(np.interp(shares, at, e.info["quantiles"])) for e in entries}
    low = min(float(each.min()) for each in samples.values()) - 0.06
    high = max(float(each.max()) for each in samples.values()) + 0.3  # room for the figures
    grid = np.linspace(low, high, 400)
    figure, axes = new("How long a call takes", 0.62 * len(entries) + 0.9)
    for place, entry in enumerate(reversed(entries)):
        ridge = density(samples[entry.row], grid)
        own = colour(entry.row)
        first = entry.row in FIRST.values()
        axes.fill_between(
            10**grid * 1000,
            place,
            place + 0.78 * ridge,
            color=own,
            alpha=0.3 if first else 0.75,
            lw=0,
        )
        axes.plot(10**grid * 1000, place + 0.78 * ridge, color=own, lw=0.8)
        axes.plot([entry.info["p50"] * 1000] * 2, [place, place + 0.3], color="black", lw=1.4)
        axes.text(
            10**high * 1000,
            place + 0.1,
            milliseconds(entry.info["p50"]),
            ha="right",
            fontweight="bold",
        )
    axes.set_yticks(range(len(entries)), [title(e.row) for e in reversed(entries)])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.1, len(entries))
    axes.set_xscale("log")
    plain_ticks(axes, (10**low * 1000, 10**high * 1000))
    axes.set_xlabel("milliseconds, logarithmic; black mark and figure: median")
    return figure


def density(samples: Any, grid: Any) -> Any:
    """Return a smoothed density (a Gaussian kernel) of samples on a grid, its peak at 1."""
    width = 0.012  # in log10: three per cent of the time
    height = np.exp(-0.5 * ((grid[:, None] - samples[None, :]) / width) ** 2).sum(axis=1)
    return height / height.max()


def throughput(run: Run) -> Figure:
    """Draw the rate against the window, on two logarithmic axes."""
    figure, axes = new("Calls per second against calls in flight", 3.9)
    curves(axes, run, IN_FLIGHT, "window", prefetch=20)
    axes.set_xlabel("calls in flight (prefetch 20)")
    return figure


def threads(run: Run) -> Figure:
    """Draw the rate against the callers."""
    figure, axes = new("Calls per second of threads on one client", 3.2)
    curves(axes, run, THREADS, "threads")
    axes.set_xlabel("threads, each with one call after the other (prefetch 20)")
    return figure


def curves(axes: Axes, run: Run, question: str, name: str, **params: Any) -> None:
    """Draw the rate of every row against a parameter, with the passes' spread, labelled at its end."""
    ends: list[tuple[float, float, str, str]] = []
    xs = run.values(question, name, **params)
    for row in run.rows(question):
        entries = sorted(run.entries(question, row=row, **params), key=lambda e: e.params[name])
        if not entries or run.void(question, row) or row in BARE.values():
            continue  # the bare layers are in the tables: three more curves could not be told apart
        x = [e.params[name] for e in entries]
        first = row in FIRST.values()
        axes.fill_between(
            x,
            [1 / e.spread.high for e in entries],
            [1 / e.spread.low for e in entries],
            color=colour(row),
            alpha=0.15,
            lw=0,
        )
        axes.plot(
            x,
            [e.rate for e in entries],
            color=colour(row),
            ls="--" if first else "-",
            marker="o",
            ms=3.5,
        )
        ends.append((x[-1], entries[-1].rate, title(row), colour(row)))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(xs, [f"{x:,}" for x in xs])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: rate(y)))
    low, high = axes.get_ylim()
    ticks = [m * 10**p for p in range(6) for m in (1, 2, 5) if low <= m * 10**p <= high]
    axes.set_yticks(ticks)
    label_ends(axes, ends, xs[-1])


def label_ends(axes: Axes, ends: list[tuple[float, float, str, str]], right: float) -> None:
    """Name the curves at their right ends, pushed apart where they would cover each other (logarithmic axes)."""
    low, high = map(math.log, axes.get_ylim())
    gap = (high - low) * 0.062
    place = -math.inf
    for x, y, text, own in sorted(ends, key=lambda end: end[1]):
        place = max(math.log(y), place + gap)
        axes.annotate(
            text,
            (x, y),
            (right * 1.12, math.exp(place)),
            color=own,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": own, "lw": 0.5, "alpha": 0.5},
        )


def scale_out(run: Run) -> Figure:
    """Draw the speed-up against the ideal line."""
    figure, axes = new("What adding servers gives (a function of 20 ms)", 3.6)
    counts = run.values(SERVERS, "servers")
    axes.plot(counts, counts, color="black", lw=1, ls=":", label="ideal")
    rows = run.rows(SERVERS)
    for place, row in enumerate(rows):
        one = run.entry(SERVERS, row, servers=counts[0])
        found = [e for n in counts if (e := run.entry(SERVERS, row, servers=n)) is not None]
        if one is None or run.void(SERVERS, row):
            continue
        shift = (place - (len(rows) - 1) / 2) * 0.07  # the points would cover each other
        ups = [e.rate_over(one).spread for e in found]
        axes.errorbar(
            [e.params["servers"] + shift for e in found],
            [up.median for up in ups],
            yerr=[[up.median - up.low for up in ups], [up.high - up.median for up in ups]],
            color=colour(row),
            marker="o",
            ms=5,
            ls="",
            capsize=2,
            lw=1.2,
            label=f"{title(row)}: {ups[-1].median:.2f}",
        )
    axes.set_xticks(counts)
    axes.set_yticks(counts)
    axes.set_xlabel("servers on one queue")
    axes.set_ylabel("calls per second / one server's")
    axes.legend(frameon=False, loc="upper left")
    return figure


def reply_size(run: Run) -> Figure:
    """Draw the time of a call against the digits of its reply."""
    figure, axes = new("What the size of the reply adds", 3.2)
    ends = []
    for row in run.rows(REPLY_SIZE):
        entries: list[Entry] = sorted(run.entries(REPLY_SIZE, row=row), key=lambda e: e.params["n"])
        if not entries or run.void(REPLY_SIZE, row):
            continue
        x = [e.info["digits"] for e in entries]
        axes.plot(x, [e.time * 1000 for e in entries], color=colour(row), marker="o", ms=3.5)
        ends.append((x[-1], entries[-1].time * 1000, title(row), colour(row)))
    axes.set_ylim(0)
    axes.set_xlabel("decimal digits")
    axes.set_ylabel("milliseconds per call")
    top = axes.get_ylim()[1]
    place = -math.inf
    for x_end, y, text, own in sorted(ends, key=lambda end: end[1]):
        place = max(y, place + 0.075 * top)
        axes.text(x_end * 1.03, place, text, color=own, va="center")
    return figure


def new(heading: str, height: float) -> tuple[Figure, Axes]:
    """Return a figure with one plot; the height is in inches."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(heading)
    return figure, axes


def plain_ticks(axes: Axes, limits: tuple[float, float]) -> None:
    """Mark 1, 2 and 5 of each power of ten, as plain numbers."""
    low, high = limits
    ticks = [m * 10.0**p for p in range(-3, 5) for m in (1, 2, 5) if low <= m * 10.0**p <= high]
    axes.set_xlim(low, high)
    axes.minorticks_off()
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
