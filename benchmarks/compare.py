"""All implementations side by side: ask each, time a few hundred calls in turn, print one table.

The quick form of the benchmark: one broker, and one server of each as it is by default.
"""

import argparse
import os
import sys

from rich.console import Console

from benchmarks.environment import describe
from benchmarks.formatting import MISSING, milliseconds, rate, times
from benchmarks.lines import lines_of_code
from benchmarks.measure import (
    Invalid,
    Measured,
    Sample,
    check,
    quartiles,
    ratio,
    time_calls,
    time_window,
)
from benchmarks.programs import Client
from benchmarks.report import console, terminal_table
from benchmarks.rig import Rig, Setting
from benchmarks.tables import INVALID, Answer
from contract import fib
from contract.implementations import IMPLEMENTATIONS, check_implementation
from harness.broker import BrokerNotInstalled, broker

BASE = "raw_pika"
PASSES = 10
CALLS = 40  # one at a time, in each pass
WINDOW = 100

Results = dict[str, Measured | Invalid]


def main(argv: list[str] | None = None) -> int:
    """Compare, and return the exit code: 1 if an answer was wrong or missing, or nothing could be started."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help="what to compare")
    packages = parser.parse_args(argv).packages or list(IMPLEMENTATIONS)
    out = console()
    try:
        for package in packages:
            check_implementation(package)
        which = "at $AMQP_URL" if os.environ.get("AMQP_URL") else "of our own"
        out.print(f"a broker {which}, and one server of each", style="dim")
        with broker() as node, Rig(node) as rig:
            found = describe(node)
            out.print(
                f"RabbitMQ {found['rabbitmq']}, Python {found['python']}, {found['cpus']} cores",
                style="dim",
            )
            return compare(rig, packages, out)
    except (BrokerNotInstalled, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"the broker cannot be reached: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def compare(rig: Rig, packages: list[str], out: Console) -> int:
    """Measure the packages in turn and print the table."""

    def progress(what: str) -> None:
        out.print(what, style="dim")

    settings = {package: Setting(package) for package in packages}
    progress("asking each for fib(30) and fib(10000)")
    answers = rig.measure(settings, lambda _, client: ask(client), 1)
    progress(f"{PASSES * CALLS} calls each, one at a time, in turn")
    single = rig.measure(settings, lambda _, client: time_calls(client.call, 0, 0, CALLS), PASSES)
    progress(f"the same with {WINDOW} in flight")
    many = rig.measure(
        settings, lambda _, c: time_window(c.call_many, WINDOW, 0, 2 * WINDOW), PASSES // 2
    )
    out.print(terminal_table(table(packages, answers, single, many)))
    out.print(
        f"{PASSES} passes, every other one backwards, so that a drift of the machine falls on all alike; "
        "in brackets: the interquartile range",
        style="dim",
        soft_wrap=True,
    )
    failed = [
        p for p in packages if any(isinstance(r[p], Invalid) for r in (answers, single, many))
    ]
    return 1 if failed else 0


def ask(client: Client) -> Sample:
    """Ask for what everybody knows and for the largest number; any wrong digit is an error."""
    check([client.call(10_000)], [fib(10_000)])
    check([client.call(30)], [832_040])
    return Sample([0.0])


def table(packages: list[str], answers: Results, single: Results, many: Results) -> Answer:
    """Return the comparison."""
    lines = []
    base = single.get(BASE)
    for package in packages:
        asked, one, pushed = answers[package], single[package], many[package]
        if isinstance(asked, Invalid) or isinstance(one, Invalid) or isinstance(pushed, Invalid):
            results = (asked, one, pushed)
            reason = next(each.reason for each in results if isinstance(each, Invalid))
            lines.append([package, INVALID + reason])
            continue
        compared = MISSING
        if isinstance(base, Measured):
            compared = "1" if package == BASE else times(ratio(one.passes, base.passes))
        lines.append(
            [
                *(package, "832040", "2,090 digits"),
                milliseconds(quartiles(one.passes).median),
                milliseconds(one.quantiles([0.99])[0]),
                rate(1 / quartiles(pushed.passes).median),
                compared,
                str(lines_of_code(package)),
            ]
        )
    headings = ["implementation", "fib(30)", "fib(10000)", "median", "p99"]
    headings += [f"calls/s,\n{WINDOW} in flight", f"median x {BASE}", "lines\nof code"]
    return Answer("", "", headings, lines)


if __name__ == "__main__":
    sys.exit(main())
