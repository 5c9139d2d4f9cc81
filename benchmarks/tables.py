"""The answers, as tables, made from a saved run. Where they are shown is for `report.py`."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.formatting import (
    MISSING,
    briefly,
    megabytes,
    microseconds,
    milliseconds,
    percent,
    rate,
    times,
)
from benchmarks.measure import Ratio, quartiles
from benchmarks.programs import BARE, BASELINE, FIRST, TITLES, title
from benchmarks.results import (
    CALL,
    CALLBACK_QUEUE,
    IN_FLIGHT,
    QUEUE_TYPE,
    REPLY_SIZE,
    SCALE,
    SET_UP,
    THREADS,
    Entry,
    Run,
)

BASE = "raw_pika"
INVALID = "measurement invalid: "

Find = Callable[[str], Entry | None]
Column = tuple[str, Callable[[str], str]]
"""A heading, and what stands below it for a program."""


@dataclass
class Answer:
    """One question with its table and what to know about the figures."""

    question: str
    about: str
    headings: list[str]
    lines: list[list[str]]
    """A line for each program, its name first; where the measurement is invalid, only the reason follows."""


def answers(run: Run) -> list[Answer]:
    """Return the answers to all questions that were asked."""
    makers = [
        *(call, in_flight, threads, scale, on_paper, on_paper_checked),
        *(callback_queue, queue_type, reply_size, set_up),
    ]
    return [answer for maker in makers if (answer := maker(run)).lines]


# -- columns ----------------------------------------------------------------------------------------------


def answer(
    run: Run, question: str, about: str, columns: Sequence[Column], *, heading: str = ""
) -> Answer:
    """Return a question's answer: a line for each program that was measured."""
    lines = []
    for program in run.programs(question):
        reason = run.why_invalid(question, program)
        cells = [INVALID + reason] if reason else [cell(program) for _, cell in columns]
        lines.append([title(program), *cells])
    return Answer(heading or question, about, ["", *(name for name, _ in columns)], lines)


def found(run: Run, question: str, **params: object) -> Find:
    """Return what finds a program's entry at a question."""
    return lambda program: run.entry(question, program, **params)


def figure(heading: str, find: Find, write: Callable[[Entry], str | None]) -> Column:
    """Return a column of one figure."""

    def cell(program: str) -> str:
        entry = find(program)
        return (entry and write(entry)) or MISSING

    return heading, cell


def compared(
    heading: str,
    find: Find,
    base: Callable[[str], Entry | None],
    over: Callable[[Entry, Entry], Ratio] = Entry.over,
    write: Callable[[Ratio], str] = times,
) -> Column:
    """Return a column that compares a program with what `base` finds for it; 1 beside itself."""

    def cell(program: str) -> str:
        mine, other = find(program), base(program)
        if mine is None or other is None:
            return MISSING
        return "1" if mine == other else write(over(mine, other))

    return heading, cell


def beside_layer(find: Find, over: Callable[[Entry, Entry], Ratio] = Entry.over) -> list[Column]:
    """Return the columns that compare an implementation with its layer, bare and as documented."""

    def of(layers: dict[str, str]) -> Find:
        return lambda program: find(layers[program]) if program in layers else None

    return [
        compared("x its layer, bare", find, of(BARE), over),
        compared("x its layer as documented", find, of(FIRST), over),
    ]


def rates(find: Callable[[object], Find], values: Sequence[object], unit: str = "") -> list[Column]:
    """Return a column of rates for each value of a parameter."""
    return [
        figure(f"{value:,}{unit}", find(value), lambda entry: rate(entry.rate)) for value in values
    ]


def cpu(find: Find, *who: str) -> list[Column]:
    """Return the columns of processor time per call."""

    def write(name: str) -> Callable[[Entry], str | None]:
        return lambda e: None if (used := e.cpu(name)) is None else microseconds(used)

    return [figure(f"CPU {name}", find, write(name)) for name in who]


# -- the answers ------------------------------------------------------------------------------------------


def summary(run: Run) -> Answer:
    """The headline: one call and a hundred in flight, as ratios."""
    one, many = found(run, CALL), found(run, IN_FLIGHT, window=100, prefetch=20)
    over = Entry.rate_over
    return answer(
        run,
        CALL,
        "One call: prefetch 1; 100 in flight: prefetch 20. Figures are medians over the passes, with each ratio "
        "its interquartile range. The protocol baseline is the same request and reply as frames encoded "
        "beforehand, over a bare socket: no client can be faster with this broker. Tutorial, example, "
        "first steps, RPC pattern, request: the library as its own documentation begins. Bare: the least that a "
        "layer can be used with, one thread at each end and none of the contract.",
        [
            figure("one call", one, lambda e: milliseconds(e.time)),
            compared("x baseline", one, lambda _: one(BASELINE)),
            compared(f"x {BASE}", one, lambda _: one(BASE)),
            figure("calls/s, 100 in flight", many, lambda e: rate(e.rate)),
            compared("x baseline's rate", many, lambda _: many(BASELINE), over),
            compared(f"x {BASE}'s rate", many, lambda _: many(BASE), over),
        ],
        heading="The short answer",
    )


def headline(run: Run) -> Answer:
    """The same for the README: without the bare layers, and with ratios alone."""
    one, many = found(run, CALL), found(run, IN_FLIGHT, window=100, prefetch=20)
    over = Entry.rate_over
    short = answer(
        run,
        CALL,
        "Medians; a ratio is given where the runs agree on it. The protocol baseline is the same two messages as "
        "bytes that were prepared beforehand, with no library: no client can be faster with this broker. "
        "Tutorial, example, first steps and the like: the library as its own documentation begins.",
        [
            figure("one call", one, lambda e: milliseconds(e.time)),
            compared(f"x {BASE}", one, lambda _: one(BASE), write=briefly),
            figure("calls/s, 100 at once", many, lambda e: rate(e.rate)),
            compared(f"x {BASE}'s rate", many, lambda _: many(BASE), over, briefly),
        ],
    )
    bare = {title(program) for program in BARE.values()}
    short.lines = [line for line in short.lines if line[0] not in bare]
    return short


def call(run: Run) -> Answer:
    """Latency, one call in flight."""
    one = found(run, CALL)
    return answer(
        run,
        CALL,
        "One call in flight, one server. CPU is processor time per call. Persistent requests are written to disk.",
        [
            figure("median", one, lambda e: milliseconds(e.time)),
            figure("p95", one, lambda e: milliseconds(e.info["p95"])),
            figure("p99", one, lambda e: milliseconds(e.info["p99"])),
            *beside_layer(one),
            *cpu(one, "client", "server", "broker"),
            figure("requests", one, lambda e: e.info.get("delivery_mode")),
        ],
    )


def in_flight(run: Run) -> Answer:
    """Throughput against the window, and what a larger prefetch is worth."""
    many = found(run, IN_FLIGHT, window=100, prefetch=20)
    return answer(
        run,
        IN_FLIGHT,
        "Calls per second with so many in flight, one client, one server with a prefetch of 20; what is compared "
        "is the rate with 100 in flight.",
        [
            *rates(
                lambda window: found(run, IN_FLIGHT, window=window, prefetch=20),
                run.values(IN_FLIGHT, "window", prefetch=20),
            ),
            figure(
                "100, prefetch 1",
                found(run, IN_FLIGHT, window=100, prefetch=1),
                lambda e: rate(e.rate),
            ),
            *beside_layer(many, Entry.rate_over),
        ],
    )


def threads(run: Run) -> Answer:
    """Throughput against callers on one client."""
    counts = run.values(THREADS, "threads")
    one = found(run, THREADS, threads=1)
    return answer(
        run,
        THREADS,
        "Calls per second of threads that share one client, one call after the other; one server, prefetch 20.",
        [
            *rates(lambda count: found(run, THREADS, threads=count), counts, " at once"),
            compared(
                f"{max(counts, default=1)} x 1 thread's",
                found(run, THREADS, threads=max(counts, default=1)),
                one,
                Entry.rate_over,
            ),
        ],
    )


def scale(run: Run) -> Answer:
    """Scale-out of a function that takes 20 ms."""
    points = sorted({(e.params["servers"], e.params["clients"]) for e in run.entries(SCALE)})
    most, clients = points[-1] if points else (1, 1)

    def at(servers: int, clients: int) -> Find:
        return found(run, SCALE, servers=servers, clients=clients)

    def heading(servers: int, clients: int) -> str:
        return f"{servers} server{'s' * (servers > 1)}" + f", {clients} clients" * (clients > 1)

    return answer(
        run,
        SCALE,
        "Calls per second of a function that takes 20 ms (it sleeps), from one client process unless it says "
        "otherwise; prefetch 1. The last column is the least that any server got of the calls, in any pass.",
        [
            *(figure(heading(*p), at(*p), lambda e: f"{e.rate:.0f}") for p in points),
            compared(f"{most} x one server's", at(most, clients), at(1, 1), Entry.rate_over),
            figure(
                f"least share of {most}",
                at(most, clients),
                lambda e: percent(min(e.info["smallest_shares"])),
            ),
        ],
    )


UTILISATION = 0.7
"""How busy a process or a core may be in the table of `on_paper`: beyond that, waiting times grow steeply."""
JOB = 0.02
"""Seconds that the function takes in the same."""


def on_paper(run: Run) -> Answer:
    """How many servers, clients and broker cores a rate needs, from the processor time per call."""
    wanted = (100, 1_000, 10_000)
    lines = []
    for program in run.programs(IN_FLIGHT):
        entry = run.entry(IN_FLIGHT, program, window=100, prefetch=20)
        if entry is None or program in TITLES:
            continue
        classic, three = (
            run.entry(QUEUE_TYPE, program, queue_type=queue_type, nodes=nodes, window=100)
            for queue_type, nodes in (("classic", 1), ("quorum", 3))
        )
        client, server, broker = (entry.cpu(who) for who in ("client", "server", "broker"))
        if client is None or server is None or broker is None:
            continue
        quorum = three.cpu("broker") if three and classic else None
        limits = {
            "a server": UTILISATION / (JOB + server),
            "a client": UTILISATION / client,
            "a broker core": UTILISATION / broker,
        }
        first = sorted(limits, key=lambda name: limits[name])
        for number, each in enumerate(wanted):
            lines.append(
                [
                    "" if number else title(program),
                    f"{each:,}",
                    str(needed(each * (JOB + server))),
                    str(needed(each * client)),
                    str(needed(each * broker)),
                    MISSING if quorum is None else str(needed(each * quorum)),
                    ", ".join(f"{name} {rate(limits[name])}" for name in first)
                    if not number
                    else "",
                ]
            )
    return Answer(
        "How many servers, clients and broker cores?",
        "Calculated, for a function that takes 20 ms and servers with a concurrency of 1: rate times time per "
        f"call, with nothing busier than {percent(UTILISATION)}. Time per call is processor time with 100 in "
        "flight, and 20 ms more in a server. A quorum queue is on three nodes: its cores are those of all three. "
        "A queue is one process of the broker: beyond the rate of the protocol baseline in flight, take several "
        "queues. The last column says which of a server, a client and a broker core is full first.",
        [
            *("", "calls/s", "servers", "client processes", "broker cores, one node"),
            *("broker cores, quorum queue", "full first, at calls/s"),
        ],
        lines,
    )


def on_paper_checked(run: Run) -> Answer:
    """What servers and clients did together, beside what `on_paper` expects of them."""
    points = sorted({(e.params["servers"], e.params["clients"]) for e in run.entries(SCALE)})
    points = [point for point in points if point[0] == 1 or point[1] > 1]

    def at(servers: int, clients: int) -> Callable[[str], str]:
        def cell(program: str) -> str:
            entry = run.entry(SCALE, program, servers=servers, clients=clients)
            flight = run.entry(IN_FLIGHT, program, window=100, prefetch=20)
            if entry is None or flight is None or (cpu := flight.cpu("server")) is None:
                return MISSING
            return f"{entry.rate:.0f} of {servers / (JOB + cpu):.0f}"

        return cell

    return answer(
        run,
        SCALE,
        "The calculation, checked: calls per second that were measured, of those that so many servers can do.",
        [(f"{s} server{'s' * (s > 1)}, {c} client{'s' * (c > 1)}", at(s, c)) for s, c in points],
        heading="Does that hold?",
    )


def needed(busy: float) -> int:
    """Return how many servers, processes or cores are needed for so many seconds of work a second."""
    return math.ceil(busy / UTILISATION)


def callback_queue(run: Run) -> Answer:
    """What the tutorial warns of."""
    one = found(run, CALLBACK_QUEUE)
    return answer(
        run,
        CALLBACK_QUEUE,
        "Pika alone, one call in flight.",
        [
            figure("median", one, lambda e: milliseconds(e.time)),
            figure("p99", one, lambda e: milliseconds(e.info["p99"])),
            compared("x a queue per client", one, lambda _: one("a queue per client")),
        ],
    )


def queue_type(run: Run) -> Answer:
    """Classic against quorum."""

    def at(queue_type: str, nodes: int, window: int) -> Find:
        return found(run, QUEUE_TYPE, queue_type=queue_type, nodes=nodes, window=window)

    columns = [
        figure("one call, classic", at("classic", 1, 1), lambda e: milliseconds(e.time)),
        figure("quorum", at("quorum", 1, 1), lambda e: milliseconds(e.time)),
        compared("x classic", at("quorum", 1, 1), at("classic", 1, 1)),
    ]
    if 100 in run.values(QUEUE_TYPE, "window"):
        columns += [
            figure("100 in flight, classic", at("classic", 1, 100), lambda e: rate(e.rate)),
            figure("quorum, calls/s", at("quorum", 1, 100), lambda e: rate(e.rate)),
            compared("x classic's rate", at("quorum", 1, 100), at("classic", 1, 100), Entry.rate_over),
            *((f"{h}, {what}", cell) for what, find in [
                ("classic", at("classic", 1, 100)),
                ("quorum", at("quorum", 1, 100)),
                ("quorum on 3 nodes", at("quorum", 3, 100)),
            ] for h, cell in cpu(find, "broker")),
        ]  # fmt: skip
    return answer(
        run,
        QUEUE_TYPE,
        "A single node has nobody to replicate to: what is timed is the least that a quorum queue costs. CPU is "
        "processor time per call with 100 in flight, of all nodes together.",
        columns,
    )


def reply_size(run: Run) -> Answer:
    """Latency against the size of the reply."""
    numbers = run.values(REPLY_SIZE, "n")
    digits = {e.params["n"]: e.info["digits"] for e in run.entries(REPLY_SIZE)}
    small, large = (found(run, REPLY_SIZE, n=n) for n in (numbers[:1] + numbers[-1:] or [0, 0]))

    def per_digit(program: str) -> str:
        one, other = small(program), large(program)
        if one is None or other is None or not other.over(one).differs:
            return MISSING
        return (
            f"{(other.time - one.time) / (other.info['digits'] - one.info['digits']) * 1e9:.0f} ns"
        )

    return answer(
        run,
        REPLY_SIZE,
        "One call in flight. The servers computed the numbers beforehand: this is their way back.",
        [
            *(
                figure(
                    f"fib({n}), {digits[n]:,} digit{'s' * (digits[n] > 1)}",
                    found(run, REPLY_SIZE, n=n),
                    lambda e: milliseconds(e.time),
                )
                for n in numbers
            ),
            compared("largest x smallest", large, small),
            ("per digit", per_digit),
        ],
    )


def set_up(run: Run) -> Answer:
    """What it takes to begin."""
    steps = {
        "server ready": "server start",
        "client import": "import",
        "first answer": "first answer",
    }
    start = found(run, SET_UP, step="server start")
    return answer(
        run,
        SET_UP,
        "From starting a server to its ready line; in a client's new process, its import, and from there to the "
        "first answer; resident memory of each, with the interpreter.",
        [
            *(
                figure(heading, found(run, SET_UP, step=step), lambda e: milliseconds(e.time))
                for heading, step in steps.items()
            ),
            figure("server memory", start, lambda e: megabytes(e.info["memory"]["server"])),
            figure("client memory", start, lambda e: megabytes(e.info["memory"]["client"])),
        ],
    )


# -- tables of several runs, and of one call's parts --------------------------------------------------------


def versions(runs: Sequence[Run]) -> Answer:
    """The headline figures on each RabbitMQ series that was measured, side by side."""
    headings = [f"{what}, {run.series}" for what in ("one call", "calls/s") for run in runs]
    lines = []
    for program in runs[0].programs(CALL):
        ones = [run.entry(CALL, program) for run in runs]
        many = [run.entry(IN_FLIGHT, program, window=100, prefetch=20) for run in runs]
        cells = [milliseconds(e.time) if e else MISSING for e in ones]
        cells += [rate(e.rate) if e else MISSING for e in many]
        lines.append([title(program), *cells])
    on = "; ".join(f"RabbitMQ {run.machine['rabbitmq']}, {run.date}" for run in runs)
    return Answer(
        "Does RabbitMQ's version matter?",
        f"One call, and calls per second with 100 in flight. {on}. Runs on different days: a difference of less "
        "than a third may be the machine's.",
        ["", *headings],
        lines if len(runs) > 1 else [],
    )


def budget(run: Run) -> Answer:
    """Where the time of one call goes: broker and kernel, library, contract."""
    base = run.entry(CALL, BASELINE)
    lines = []
    for program, layer in BARE.items():
        mine, bare = run.entry(CALL, program), run.entry(CALL, layer)
        if mine and bare and base:
            parts = [
                [b - a for a, b in zip(base.passes, bare.passes, strict=True)],
                [b - a for a, b in zip(bare.passes, mine.passes, strict=True)],
            ]
            cells = [
                f"{q.median * 1000:.2f} ({q.low * 1000:.2f} to {q.high * 1000:.2f}) ms"
                for q in map(quartiles, parts)
            ]
            lines.append([program, milliseconds(base.time), *cells, milliseconds(mine.time)])
    headings = ["", "broker, kernel, integer parse", "the library", "the contract", "one call"]
    return Answer("The budget of one call", "", headings, lines)
