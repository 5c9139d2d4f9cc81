"""The answers, as tables and sentences. Made from a saved run; where they are shown is for others."""

from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.measure import quantile
from benchmarks.results import (
    CALL,
    CALLBACK_QUEUE,
    IN_FLIGHT,
    QUEUE_TYPE,
    REPLY_SIZE,
    SERVERS,
    SET_UP,
    THREADS,
    Entry,
    Run,
)
from benchmarks.rows import BARE, FIRST, FLOOR, TITLES, title
from benchmarks.words import (
    MISSING,
    NO_DIFFERENCE,
    factor,
    megabytes,
    microseconds,
    milliseconds,
    percent,
    rate,
    times,
)

BASE = "raw_pika"
LAYERS = [(row, layers[row]) for layers in (FIRST, BARE) for row in layers]


@dataclass
class Answer:
    """One question with its table, what to know about the figures, and what they say in sentences."""

    question: str
    about: str
    headings: list[str]
    lines: list[list[str]]
    sentences: list[str] = field(default_factory=list)


def answers(run: Run) -> list[Answer]:
    """Return the answers to all questions that were asked."""
    makers = [call, in_flight, threads, servers, callback_queue, queue_type, reply_size, set_up]
    return [answer for maker in makers if (answer := maker(run)).lines]


def lines(run: Run, question: str, cells: Callable[[str], list[str]]) -> list[list[str]]:
    """Return a line for each row; a void row says so, and shows no figure."""
    found = []
    for row in run.rows(question):
        reason = run.void(question, row)
        found.append([title(row), f"void: {reason}"] if reason else [title(row), *cells(row)])
    return found


def compared(entry: Entry | None, base: Entry | None) -> str:
    """Write one row's time over another's."""
    if entry is None or base is None:
        return MISSING
    return "1" if entry is base or entry.row == base.row else times(entry.over(base))


def summary(run: Run) -> Answer:
    """The headline: one call and a hundred in flight, as ratios."""

    def cells(row: str) -> list[str]:
        one = run.entry(CALL, row)
        pushed = run.entry(IN_FLIGHT, row, window=100, prefetch=20)
        floor = run.entry(IN_FLIGHT, FLOOR, window=100, prefetch=20)
        share = MISSING
        if pushed and floor:
            share = "1" if row == FLOOR else times(pushed.rate_over(floor))
        return [
            milliseconds(one.time) if one else MISSING,
            compared(one, run.entry(CALL, FLOOR)),
            compared(one, run.entry(CALL, BASE)),
            rate(pushed.rate) if pushed else MISSING,
            share,
        ]

    return Answer(
        "The short answer",
        "Times and rates are medians over the passes; a picture shows the median of all calls. One call: "
        "prefetch 1; 100 in flight: prefetch 20. A ratio is formed within each pass, where the rows took turns; "
        "with it is what the middle half of the passes covers. The floor is the same request and reply as frames "
        "encoded beforehand, over a bare socket: nobody gets under it with this broker. Tutorial, example, first "
        "steps: the layer used the way its own documentation begins. Bare: the least that the layer can be used "
        "with, one thread at each end and none of the contract.",
        ["", "one call", "/ floor", f"/ {BASE}", "calls/s, 100 in flight", "/ floor"],
        lines(run, CALL, cells),
    )


GOALS = {
    "raw_pika": (1.5, 0.35, 1.0, 2.5),
    "kombu_impl": (1.8, 0.25, 5, 5),
    "celery_impl": (3.5, 0.06, 1.4, 1.4),
}
"""What each was to reach: one call over the floor's, the rate of 100 in flight over the floor's, and both beside
the layer's own documentation, as times as quick and times the rate."""


def goals(run: Run) -> Answer:
    """What was aimed at, what the bare layer reaches, what the implementation reaches."""

    def one(row: str, base: str) -> str:
        return compared(run.entry(CALL, row), run.entry(CALL, base))

    def pushed(row: str, base: str) -> str:
        mine, others = (run.entry(IN_FLIGHT, r, window=100, prefetch=20) for r in (row, base))
        return times(mine.rate_over(others)) if mine and others else MISSING

    found = []
    for row, (call_goal, rate_goal, quicker_goal, faster_goal) in GOALS.items():
        bare, first = BARE[row], FIRST[row]
        found += [
            [row, "one call / floor", f"at most {call_goal:g}", one(bare, FLOOR), one(row, FLOOR)],
            [
                "",
                "100 in flight / floor",
                f"at least {rate_goal:g}",
                pushed(bare, FLOOR),
                pushed(row, FLOOR),
            ],
            [
                "",
                f"one call of {title(first)} / one call",
                f"at least {quicker_goal:g}",
                one(first, bare),
                one(first, row),
            ],
            [
                "",
                f"100 in flight / {title(first)}",
                f"at least {faster_goal:g}",
                pushed(bare, first),
                pushed(row, first),
            ],
        ]
    return Answer("Goals", "", ["", "ratio", "goal", "bare layer", "reached"], found)


def call(run: Run) -> Answer:
    """Latency, one call in flight."""

    def cells(row: str) -> list[str]:
        one = run.entry(CALL, row)
        if one is None:
            return []
        cpu = one.info["cpu_per_call"]
        return [
            *(milliseconds(one.info[name]) for name in ("p50", "p95", "p99")),
            rate(1 / one.stats["mean"]),
            *(microseconds(cpu[who]) if who in cpu else MISSING for who in CPU),
            one.info.get("delivery_mode", MISSING),
        ]

    CPU = ("client", "server", "broker")  # noqa: N806
    sentences = []
    for row, layer in LAYERS:
        mine, theirs = run.entry(CALL, row), run.entry(CALL, layer)
        if mine and theirs:
            ratio = mine.over(theirs)
            verdict = (
                f"{times(ratio)} times as long as" if ratio.differs else f"{NO_DIFFERENCE} from"
            )
            sentences.append(f"{row}: {verdict} {title(layer)}.")
    return Answer(
        CALL,
        "One call in flight, one server. CPU is processor time per call. Persistent requests are written to disk.",
        ["", "median", "p95", "p99", "calls/s", *(f"CPU {who}" for who in CPU), "requests"],
        lines(run, CALL, cells),
        sentences,
    )


def in_flight(run: Run) -> Answer:
    """Throughput against the window, and what a larger prefetch is worth."""
    windows = run.values(IN_FLIGHT, "window", prefetch=20)

    def cells(row: str) -> list[str]:
        found = [run.entry(IN_FLIGHT, row, window=w, prefetch=20) for w in windows]
        one = run.entry(IN_FLIGHT, row, window=100, prefetch=1)
        at_100 = run.entry(IN_FLIGHT, row, window=100, prefetch=20)
        cpu = at_100.info["cpu_per_call"] if at_100 else {}
        return [
            *(rate(each.rate) if each else MISSING for each in found),
            rate(one.rate) if one else MISSING,
            *(microseconds(cpu[who]) if who in cpu else MISSING for who in ("client", "server")),
        ]

    sentences = []
    for row in run.rows(IN_FLIGHT):
        found = run.entries(IN_FLIGHT, row=row, prefetch=20)
        if row in TITLES or len(found) < 2 or run.void(IN_FLIGHT, row):
            continue
        points = {each.params["window"]: each.rate for each in found}
        text = growth(points, "call in flight", "calls")
        one, more = (run.entry(IN_FLIGHT, row, window=100, prefetch=p) for p in (1, 20))
        if one and more:
            text += f" A prefetch of 20 instead of 1, at 100 in flight: {faster(more, one)}."
        sentences.append(f"{title(row)}: {text}")
    for row, layer in LAYERS:
        mine, theirs = (
            run.entry(IN_FLIGHT, each, window=100, prefetch=20) for each in (row, layer)
        )
        if mine and theirs:
            sentences.append(
                f"{row} beside {title(layer)}, at 100 in flight: {faster(mine, theirs)}."
            )
    return Answer(
        IN_FLIGHT,
        "Calls per second with so many in flight, one client, one server with a prefetch of 20.",
        [
            "",
            *(str(w) for w in windows),
            "100, prefetch 1",
            "CPU client, at 100",
            "CPU server",
        ],
        lines(run, IN_FLIGHT, cells),
        sentences,
    )


def faster(entry: Entry, base: Entry) -> str:
    """Write a rate over another, or that there is no difference."""
    compared_ = entry.rate_over(base)
    return f"{times(compared_)} times the rate" if compared_.differs else NO_DIFFERENCE


def growth(points: dict[int, float], one: str, several: str) -> str:
    """Say in a sentence how a rate grows with what was varied; a tenth more or less is not called a change."""
    least, most = min(points), max(points)
    top = max(points, key=lambda x: points[x])
    text = f"{rate(points[least])} calls/s with {least} {one}, {rate(points[most])} with {most:,} {several}"
    if points[most] < 0.9 * points[top]:
        return f"{text}; it is highest with {top:,}: {rate(points[top])}."
    level = [x for x in points if all(y >= 0.9 * points[top] for z, y in points.items() if z >= x)]
    if min(level) == least:
        return f"{text}: it does not grow."
    gain = factor(points[top] / points[least])
    if min(level) == most:
        fell = any(points[b] < 0.9 * points[a] for a in points for b in points if a < b)
        return f"{text}, {gain} times as many; it {'grows unevenly' if fell else 'still grows'}."
    return f"{text}, up to {gain} times as many; from {min(level):,} on it is level."


def threads(run: Run) -> Answer:
    """Throughput against callers on one client."""
    counts = run.values(THREADS, "threads")

    def cells(row: str) -> list[str]:
        found = [run.entry(THREADS, row, threads=each) for each in counts]
        return [rate(each.rate) if each else MISSING for each in found]

    sentences = []
    for row in run.rows(THREADS):
        points = {each.params["threads"]: each.rate for each in run.entries(THREADS, row=row)}
        if len(points) > 1 and not run.void(THREADS, row):
            sentences.append(f"{row}: {growth(points, 'thread', 'threads')}")
    return Answer(
        THREADS,
        "Calls per second of threads that share one client, one call after the other; one server, prefetch 20.",
        ["", *(f"{each} thread{'s' * (each > 1)}" for each in counts)],
        lines(run, THREADS, cells),
        sentences,
    )


def servers(run: Run) -> Answer:
    """Scale-out of a function that takes 20 ms."""
    counts = run.values(SERVERS, "servers")

    def cells(row: str) -> list[str]:
        found = [run.entry(SERVERS, row, servers=each) for each in counts]
        one, last = found[0], found[-1]
        up = share = MISSING
        if one and last and len(counts) > 1:
            up = factor(last.rate_over(one).spread.median)
            share = percent(quantile(last.info["smallest_shares"], 0.0))
        return [*(f"{each.rate:.1f}" if each else MISSING for each in found), up, share]

    sentences = []
    most = counts[-1] if counts else 0
    for row in run.rows(SERVERS):
        one, last = (run.entry(SERVERS, row, servers=each) for each in (1, most))
        if one and last and most > 1 and not run.void(SERVERS, row):
            up = last.rate_over(one).spread.median
            share = quantile(last.info["smallest_shares"], 0.0)
            sentences.append(
                f"{title(row)}: {most} servers do {factor(up)} times the work of one, {percent(up / most)} of the "
                f"ideal; no server had less than {percent(share)} of the calls."
            )
    return Answer(
        SERVERS,
        "Calls per second of a function that takes 20 ms (it sleeps), 16 in flight, prefetch 1. "
        "The last column is the least that any server got of the calls, in any pass.",
        [
            "",
            *(f"{each} server{'s' * (each > 1)}" for each in counts),
            f"{most} over 1",
            f"least share of {most}",
        ],
        lines(run, SERVERS, cells),
        sentences,
    )


def callback_queue(run: Run) -> Answer:
    """What the tutorial warns of."""
    base = run.entry(CALLBACK_QUEUE, "a queue per client")

    def cells(row: str) -> list[str]:
        found = run.entry(CALLBACK_QUEUE, row)
        if found is None:
            return []
        return [*(milliseconds(found.info[p]) for p in ("p50", "p99")), compared(found, base)]

    sentences = []
    for row in ("a queue per call", "direct reply-to"):
        found = run.entry(CALLBACK_QUEUE, row)
        if found and base:
            verdict = found.over(base)
            text = (
                f"{times(verdict)} times a queue per client" if verdict.differs else NO_DIFFERENCE
            )
            sentences.append(f"{row.capitalize()}: {text}.")
    return Answer(
        CALLBACK_QUEUE,
        "Pika alone, one call in flight.",
        ["", "median", "p99", "/ a queue per client"],
        lines(run, CALLBACK_QUEUE, cells),
        sentences,
    )


def queue_type(run: Run) -> Answer:
    """Classic against quorum."""

    def pair(row: str) -> tuple[Entry | None, Entry | None]:
        classic, quorum = (
            run.entry(QUEUE_TYPE, row, queue_type=each) for each in ("classic", "quorum")
        )
        return classic, quorum

    def cells(row: str) -> list[str]:
        classic, quorum = pair(row)
        if classic is None or quorum is None:
            return []
        return [
            milliseconds(classic.time),
            milliseconds(quorum.time),
            times(quorum.over(classic)),
        ]

    sentences = []
    for row in run.rows(QUEUE_TYPE):
        classic, quorum = pair(row)
        if classic and quorum:
            verdict = quorum.over(classic)
            more = milliseconds(quorum.time - classic.time)
            text = (
                f"a quorum queue takes {times(verdict)} times as long as a classic one, {more} more"
            )
            sentences.append(f"{title(row)}: {text if verdict.differs else NO_DIFFERENCE}.")
    return Answer(
        QUEUE_TYPE,
        "One call in flight. A single node has nobody to replicate to: this is the least that a quorum costs.",
        ["", "classic", "quorum", "quorum / classic"],
        lines(run, QUEUE_TYPE, cells),
        sentences,
    )


def reply_size(run: Run) -> Answer:
    """Latency against the size of the reply."""
    numbers = run.values(REPLY_SIZE, "n")

    def found(row: str) -> list[Entry]:
        return [e for n in numbers if (e := run.entry(REPLY_SIZE, row, n=n)) is not None]

    def cells(row: str) -> list[str]:
        entries = found(row)
        if len(entries) < 2:
            return []
        return [*(milliseconds(e.time) for e in entries), times(entries[-1].over(entries[0]))]

    sentences = []
    for row in run.rows(REPLY_SIZE):
        entries = found(row)
        if len(entries) < 2 or run.void(REPLY_SIZE, row):
            continue
        small, large = entries[0], entries[-1]
        digits = large.info["digits"] - small.info["digits"]
        text = f"{digits:,} more digits: {NO_DIFFERENCE}."
        if large.over(small).differs:
            more = large.time - small.time
            text = (
                f"{digits:,} more digits add {milliseconds(more)} "
                f"({percent(more / small.time)}), {more / digits * 1e9:.0f} ns for each."
            )
        sentences.append(f"{title(row)}: {text}")
    some = {e.params["n"]: e.info["digits"] for e in run.entries(REPLY_SIZE)}
    return Answer(
        REPLY_SIZE,
        "One call in flight. The servers computed the numbers beforehand: this is their way back.",
        [
            "",
            *(f"fib({n}), {some[n]:,} digit{'s' * (some[n] > 1)}" for n in numbers),
            "largest / smallest",
        ],
        lines(run, REPLY_SIZE, cells),
        sentences,
    )


def set_up(run: Run) -> Answer:
    """What it takes to begin."""
    steps = ("server start", "import", "first answer")

    def cells(row: str) -> list[str]:
        found = [run.entry(SET_UP, row, step=each) for each in steps]
        memory = found[0].info["memory"] if found[0] else {}
        return [
            *(milliseconds(each.time) if each else MISSING for each in found),
            *(megabytes(memory[who]) if who in memory else MISSING for who in ("server", "client")),
        ]

    return Answer(
        SET_UP,
        "From starting a server to its ready line; in a client's new process, its import, and from there to the "
        "first answer; resident memory of each, with the interpreter.",
        ["", "server ready", "client import", "first answer", "server memory", "client memory"],
        lines(run, SET_UP, cells),
    )
