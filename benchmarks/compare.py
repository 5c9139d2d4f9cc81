"""All implementations side by side: ask each, time a few hundred calls in turn, print one table.

The quick form of the benchmark: one broker, and one server of each as it is by default.
"""

import argparse
import os
import sys
from collections.abc import Callable

from rich.console import Console

from benchmarks.environment import describe
from benchmarks.formatting import milliseconds
from benchmarks.lines import lines_of_code
from benchmarks.measure import Invalid, Measured, Sample, check, time_calls, time_window
from benchmarks.programs import Client
from benchmarks.report import console, terminal_table
from benchmarks.results import Entry
from benchmarks.rig import Rig, Setting
from benchmarks.tables import BASE, INVALID, Answer, calls, compared, time
from contract import fib
from harness.broker import BrokerNotInstalled, broker
from harness.implementations import IMPLEMENTATIONS, check_implementation

PASSES = 10
CALLS = 40  # one at a time, in each pass
WINDOW = 100


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
    failed: dict[str, str] = {}

    def step(what: str, take: Callable[[Client], Sample], passes: int) -> dict[str, Entry]:
        """Measure what has not failed yet."""
        out.print(what, style="dim")
        settings = {package: Setting(package) for package in packages if package not in failed}
        results = rig.measure(settings, lambda _, client: take(client), passes)
        failed.update((p, r.reason) for p, r in results.items() if isinstance(r, Invalid))
        return {p: Entry(p, {}, r.info()) for p, r in results.items() if isinstance(r, Measured)}

    def one_at_a_time(client: Client) -> Sample:
        return time_calls(client.call, 0, 0, CALLS)

    def in_flight(client: Client) -> Sample:
        return time_window(client.call_many, WINDOW, 0, 2 * WINDOW)

    step("asking each for fib(30) and fib(10000)", ask, 1)
    one = step(f"{PASSES * CALLS} calls each, one at a time, in turn", one_at_a_time, PASSES)
    many = step(f"the same with {WINDOW} in flight", in_flight, PASSES // 2)
    lines = [
        [p, INVALID + failed[p]] if p in failed else line(one[p], many[p], one.get(BASE))
        for p in packages
    ]
    headings = ["implementation", "fib(30)", "fib(10000)", "median", "p99"]
    headings += [f"calls/s,\n{WINDOW} in flight", f"median x {BASE}", "lines\nof code"]
    out.print(terminal_table(Answer("", "", headings, lines)))
    out.print(
        f"{PASSES} passes, every other one backwards, so that a drift of the machine falls on all alike; "
        "in brackets: the interquartile range",
        style="dim",
        soft_wrap=True,
    )
    return 1 if failed else 0


def ask(client: Client) -> Sample:
    """Ask for what everybody knows and for the largest number; any wrong digit is an error."""
    check([client.call(10_000)], [fib(10_000)])
    check([client.call(30)], [832_040])
    return Sample([0.0])


def line(one: Entry, many: Entry, base: Entry | None) -> list[str]:
    """Return a package's line: what it answered, and how long it took."""
    return [
        *(one.program, "832040", "2,090 digits"),
        *(time(one), milliseconds(one.info["p99"]), calls(many), compared(one, base)),
        str(lines_of_code(one.program)),
    ]


if __name__ == "__main__":
    sys.exit(main())
