"""The answers, as tables, made from a saved run. Their words stand in tables.toml; `report.py` shows them."""

import math
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.formatting import MISSING, briefly, milliseconds, percent, plural, rate, times
from benchmarks.measure import Ratio, quartiles
from benchmarks.programs import BARE, BASELINE, FIRST, TITLES, title
from benchmarks.results import Entry, Question, Run

BASE = "raw_pika"
INVALID = "measurement invalid: "
PARTIES = ("client", "server", "broker")
WORDS = tomllib.loads(Path(__file__).with_name("tables.toml").read_text())

Row = dict[str, str]
"""A program's cells, by their headings."""


@dataclass
class Answer:
    """One question with its table and what to know about the figures."""

    question: str
    about: str
    headings: list[str]
    lines: list[list[str]]
    """A line for each program, its name first; where the measurement is invalid, only the reason follows."""
    picture: str | None = None
    """The file name of the picture that answers it too."""


MakeRow = Callable[[Run, str], Row]
MakeAnswer = Callable[[Run], Answer]


def worded(name: str, question: str = "", **figures: str) -> Answer:
    """Return an answer without its table: the words by that name, with these figures in them."""
    words = WORDS[name]
    about = " ".join(words["about"].split()).format(**figures)
    headings = ["", *words.get("headings", [])]
    picture = words.get("picture", {}).get("file")
    return Answer(words.get("question", question), about, headings, [], picture)


def table(question: Question) -> Callable[[MakeRow], MakeAnswer]:
    """Make a table of what returns a program's row: a line for each program that the question was asked of.

    A row has all headings, whatever was measured. A program whose row is empty has no line.
    """

    def decorate(row: MakeRow) -> MakeAnswer:
        def make(run: Run) -> Answer:
            found = worded(row.__name__, question)
            for program in run.programs(question):
                if cells := row(run, program):
                    found.headings = ["", *cells]
                    reason = run.why_invalid(question, program)
                    shown = [INVALID + reason] if reason else cells.values()
                    found.lines.append([title(program), *shown])
            return found

        return make

    return decorate


def answers(runs: Sequence[Run]) -> list[Answer]:
    """Return the answers to all questions that were asked in the first run, and what differs in the others."""
    makers = [
        *(summary, call, in_flight, threads, scale, on_paper, on_paper_checked),
        *(callback_queue, queue_type, reply_size, set_up),
    ]
    found = [*(maker(runs[0]) for maker in makers), versions(runs)]
    return [answer for answer in found if answer.lines]


# -- cells ------------------------------------------------------------------------------------------------


def cell(entry: Entry | None, write: Callable[[Entry], str]) -> str:
    """Return what is written of an entry, if there is one."""
    return write(entry) if entry else MISSING


def time(entry: Entry | None) -> str:
    """Return the time per call."""
    return cell(entry, lambda e: milliseconds(e.time))


def calls(entry: Entry | None) -> str:
    """Return the calls per second."""
    return cell(entry, lambda e: rate(e.rate))


def cpu(entry: Entry | None, who: str) -> str:
    """Return the processor time per call, if that was measured."""
    used = entry.cpu(who) if entry else None
    return MISSING if used is None else f"{used * 1e6:,.0f} µs"


def memory(entry: Entry | None, who: str) -> str:
    """Return the resident memory."""
    return cell(entry, lambda e: f"{e.info['memory'][who] / 1e6:.0f} MB")


def compared(
    entry: Entry | None,
    base: Entry | None,
    over: Callable[[Entry, Entry], Ratio] = Entry.over,
    write: Callable[[Ratio], str] = times,
) -> str:
    """Compare an entry with another; 1 beside itself."""
    if entry is None or base is None:
        return MISSING
    return "1" if entry == base else write(over(entry, base))


def beside_layer(
    program: str,
    find: Callable[[str], Entry | None],
    over: Callable[[Entry, Entry], Ratio] = Entry.over,
) -> Row:
    """Compare an implementation with its layer, bare and as documented."""
    mine = find(program)
    return {
        "x its layer, bare": compared(mine, find(BARE.get(program, "")), over),
        "x its layer as documented": compared(mine, find(FIRST.get(program, "")), over),
    }


# -- the answers ------------------------------------------------------------------------------------------


@table(Question.CALL)
def summary(run: Run, program: str) -> Row:
    """The headline: one call and a hundred in flight, as ratios."""
    one, many = run.entry(Question.CALL, program), run.hundred(program)
    return {
        "one call": time(one),
        "x baseline": compared(one, run.entry(Question.CALL, BASELINE)),
        f"x {BASE}": compared(one, run.entry(Question.CALL, BASE)),
        "calls/s, 100 in flight": calls(many),
        "x baseline's rate": compared(many, run.hundred(BASELINE), Entry.rate_over),
        f"x {BASE}'s rate": compared(many, run.hundred(BASE), Entry.rate_over),
    }


@table(Question.CALL)
def headline(run: Run, program: str) -> Row:
    """The same for the README: without the bare layers, and with ratios alone."""
    if program in BARE.values():
        return {}
    one, many = run.entry(Question.CALL, program), run.hundred(program)
    return {
        "one call": time(one),
        f"x {BASE}": compared(one, run.entry(Question.CALL, BASE), write=briefly),
        "calls/s, 100 at once": calls(many),
        f"x {BASE}'s rate": compared(many, run.hundred(BASE), Entry.rate_over, briefly),
    }


@table(Question.CALL)
def call(run: Run, program: str) -> Row:
    """Latency, one call in flight."""
    one = run.entry(Question.CALL, program)
    return {
        "median": time(one),
        "p95": cell(one, lambda e: milliseconds(e.info["p95"])),
        "p99": cell(one, lambda e: milliseconds(e.info["p99"])),
        **beside_layer(program, lambda name: run.entry(Question.CALL, name)),
        **{f"CPU {who}": cpu(one, who) for who in PARTIES},
        "requests": cell(one, lambda e: e.info["delivery_mode"]),
    }


@table(Question.IN_FLIGHT)
def in_flight(run: Run, program: str) -> Row:
    """Throughput against the window, and what a larger prefetch is worth."""
    find = partial(run.entry, Question.IN_FLIGHT, program)
    windows = run.values(Question.IN_FLIGHT, "window", prefetch=20)
    return {
        **{f"{window:,}": calls(find(window=window, prefetch=20)) for window in windows},
        "100, prefetch 1": calls(find(window=100, prefetch=1)),
        **beside_layer(program, run.hundred, Entry.rate_over),
    }


@table(Question.THREADS)
def threads(run: Run, program: str) -> Row:
    """Throughput against callers on one client."""
    counts = run.values(Question.THREADS, "threads") or [1]
    at = {count: run.entry(Question.THREADS, program, threads=count) for count in counts}
    most = max(at)
    return {
        **{f"{count} at once": calls(entry) for count, entry in at.items()},
        f"{most} x 1 thread's": compared(at[most], at.get(1), Entry.rate_over),
    }


@table(Question.SCALE)
def scale(run: Run, program: str) -> Row:
    """Scale-out of a function that takes 20 ms."""
    at = {
        (servers, clients): run.entry(Question.SCALE, program, servers=servers, clients=clients)
        for servers, clients in scale_points(run) or [(1, 1)]
    }
    most = max(at)
    cells = {
        plural(s, "server") + f", {c} clients" * (c > 1): cell(entry, lambda e: f"{e.rate:.0f}")
        for (s, c), entry in at.items()
    }
    return cells | {
        f"{most[0]} x one server's": compared(at[most], at.get((1, 1)), Entry.rate_over),
        f"least share of {most[0]}": cell(
            at[most], lambda e: percent(min(e.info["smallest_shares"]))
        ),
    }


def scale_points(run: Run) -> list[tuple[int, int]]:
    """Return the numbers of servers and clients that were measured together, ascending."""
    return sorted({(e.params["servers"], e.params["clients"]) for e in run.entries(Question.SCALE)})


UTILISATION = 0.7
"""How busy a process or a core may be in the table of `on_paper`: beyond that, waiting times grow steeply."""
JOB = 0.02
"""Seconds that the function takes in the same."""


def on_paper(run: Run) -> Answer:
    """How many servers, clients and broker cores a rate needs, from the processor time per call."""
    answer = worded("on_paper", utilisation=percent(UTILISATION))
    for program in run.programs(Question.IN_FLIGHT):
        entry = run.hundred(program)
        if program in TITLES or entry is None or entry.cpu("broker") is None:
            continue
        client, server, broker = (entry.info["cpu_per_call"][who] for who in PARTIES)
        three = run.entry(Question.QUEUE_TYPE, program, queue_type="quorum", nodes=3, window=100)
        busy = [JOB + server, client, broker, three.cpu("broker") if three else None]
        limits = {"a server": JOB + server, "a client": client, "a broker core": broker}
        first = sorted(limits, key=lambda each: -limits[each])
        name = title(program)
        full = ", ".join(f"{each} {rate(UTILISATION / limits[each])}" for each in first)
        for wanted in (100, 1_000, 10_000):
            needed = (None if used is None else wanted * used / UTILISATION for used in busy)
            cells = [MISSING if each is None else str(math.ceil(each)) for each in needed]
            answer.lines.append([name, f"{wanted:,}", *cells, full])
            name = full = ""  # said once
    return answer


@table(Question.SCALE)
def on_paper_checked(run: Run, program: str) -> Row:
    """What servers and clients did together, beside what `on_paper` expects of them."""
    flight = run.hundred(program)
    used = flight.cpu("server") if flight else None
    cells = {}
    for servers, clients in scale_points(run):
        if servers == 1 or clients > 1:
            entry = run.entry(Question.SCALE, program, servers=servers, clients=clients)
            cells[f"{plural(servers, 'server')}, {plural(clients, 'client')}"] = (
                f"{entry.rate:.0f} of {servers / (JOB + used):.0f}" if entry and used else MISSING
            )
    return cells


@table(Question.CALLBACK_QUEUE)
def callback_queue(run: Run, program: str) -> Row:
    """What the tutorial warns of."""
    one = run.entry(Question.CALLBACK_QUEUE, program)
    return {
        "median": time(one),
        "p99": cell(one, lambda e: milliseconds(e.info["p99"])),
        "x a queue per client": compared(
            one, run.entry(Question.CALLBACK_QUEUE, "a queue per client")
        ),
    }


@table(Question.QUEUE_TYPE)
def queue_type(run: Run, program: str) -> Row:
    """Classic against quorum."""
    find = partial(run.entry, Question.QUEUE_TYPE, program)
    one = find(queue_type="classic", window=1)
    one_quorum = find(queue_type="quorum", nodes=1, window=1)
    many = find(queue_type="classic", window=100)
    many_quorum = find(queue_type="quorum", nodes=1, window=100)
    many_on_three = find(queue_type="quorum", nodes=3, window=100)
    return {
        "one call, classic": time(one),
        "quorum": time(one_quorum),
        "x classic": compared(one_quorum, one),
        "100 in flight, classic": calls(many),
        "quorum, calls/s": calls(many_quorum),
        "x classic's rate": compared(many_quorum, many, Entry.rate_over),
        "CPU broker, classic": cpu(many, "broker"),
        "CPU broker, quorum": cpu(many_quorum, "broker"),
        "CPU broker, quorum on 3 nodes": cpu(many_on_three, "broker"),
    }


@table(Question.REPLY_SIZE)
def reply_size(run: Run, program: str) -> Row:
    """Latency against the size of the reply."""
    digits = {e.params["n"]: e.info["digits"] for e in run.entries(Question.REPLY_SIZE)}
    at = {n: run.entry(Question.REPLY_SIZE, program, n=n) for n in sorted(digits)}
    small, large = at.get(min(digits, default=0)), at.get(max(digits, default=0))
    per_digit = MISSING
    if small and large and large.over(small).differs:
        more = large.info["digits"] - small.info["digits"]
        per_digit = f"{(large.time - small.time) / more * 1e9:.0f} ns"
    return {
        **{f"fib({n}), {plural(digits[n], 'digit')}": time(entry) for n, entry in at.items()},
        "largest x smallest": compared(large, small),
        "per digit": per_digit,
    }


@table(Question.SET_UP)
def set_up(run: Run, program: str) -> Row:
    """What it takes to begin."""
    start = run.entry(Question.SET_UP, program, step="server start")
    return {
        "server ready": time(start),
        "client import": time(run.entry(Question.SET_UP, program, step="import")),
        "first answer": time(run.entry(Question.SET_UP, program, step="first answer")),
        "server memory": memory(start, "server"),
        "client memory": memory(start, "client"),
    }


# -- tables of several runs, and of one call's parts --------------------------------------------------------


def versions(runs: Sequence[Run]) -> Answer:
    """The headline figures on each RabbitMQ series that was measured, side by side."""
    on = "; ".join(f"RabbitMQ {run.machine['rabbitmq']}, {run.date}" for run in runs)
    answer = worded("versions", machines=on)
    for what in ("one call", "calls/s"):
        answer.headings += [f"{what}, {run.series}" for run in runs]
    for program in runs[0].programs(Question.CALL) if len(runs) > 1 else []:
        one_call = [time(run.entry(Question.CALL, program)) for run in runs]
        answer.lines.append(
            [title(program), *one_call, *(calls(run.hundred(program)) for run in runs)]
        )
    return answer


@table(Question.CALL)
def budget(run: Run, program: str) -> Row:
    """Where the time of one call goes: broker and kernel, library, contract."""
    base, bare, whole = (
        run.entry(Question.CALL, each) for each in (BASELINE, BARE.get(program, ""), program)
    )
    if not (base and bare and whole):
        return {}
    return {
        "broker, kernel, integer parse": milliseconds(base.time),
        "the library": added(base, bare),
        "the contract": added(bare, whole),
        "one call": milliseconds(whole.time),
    }


def added(less: Entry, more: Entry) -> str:
    """Return how much longer one takes than the other, in the median; and its range within each pass."""
    differences = [b - a for a, b in zip(less.passes, more.passes, strict=True)]
    low, _, high = quartiles(differences)
    # + 0.0: no "-0.00"
    shown = (f"{round(each * 1000, 2) + 0.0:.2f}" for each in (more.time - less.time, low, high))
    return "{} ({} to {}) ms".format(*shown)
