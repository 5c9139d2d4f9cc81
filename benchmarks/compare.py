"""All implementations side by side: ask each, time a few hundred calls in turn, print one table.

The quick form of the benchmark: one broker, and one server of each as it is by default.
"""

import argparse
import ast
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.measure import (
    Measured,
    Sample,
    Void,
    check,
    quantile,
    ratio,
    time_calls,
    time_window,
)
from benchmarks.rig import Rig, Setting
from benchmarks.rows import Client
from benchmarks.words import calls_per_second, milliseconds, times
from contract import fib
from contract.implementations import IMPLEMENTATIONS, check_implementation
from harness.broker import BrokerNotInstalled, broker

BASE = "raw_pika"
PASSES = 10
CALLS = 40  # one at a time, in each pass
WINDOW = 100

Results = dict[str, Measured | Void]


def main(argv: list[str] | None = None) -> int:
    """Compare, and return the exit code: 1 if an answer was wrong or missing, or nothing could be started."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help="what to compare")
    packages = parser.parse_args(argv).packages or list(IMPLEMENTATIONS)
    console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
    try:
        for package in packages:
            check_implementation(package)
        console.print(f"broker: {'$AMQP_URL' if os.environ.get('AMQP_URL') else 'a private one'}")
        with broker() as node, Rig(node) as rig:
            return compare(rig, packages, console)
    except (BrokerNotInstalled, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def compare(rig: Rig, packages: list[str], console: Console) -> int:
    """Measure the packages in turn and print the table."""

    def progress(what: str) -> None:
        console.print(what, style="dim")

    settings = {package: Setting(package) for package in packages}
    progress("asking each for fib(30) and fib(10000)")
    answers = rig.measure(settings, lambda _, client: ask(client), 1)
    progress(f"{PASSES * CALLS} calls each, one at a time, in turn")
    single = rig.measure(settings, lambda _, client: time_calls(client, 0, 0, CALLS), PASSES)
    progress(f"the same with {WINDOW} in flight")
    many = rig.measure(settings, lambda _, c: time_window(c, WINDOW, 0, 2 * WINDOW), PASSES // 2)
    console.print(table(packages, answers, single, many))
    console.print(
        f"In turn: {' '.join(packages)}, then backwards, {PASSES} times. The ratio is that of the medians, with the "
        "middle half of the passes.",
        style="dim",
    )
    failed = [p for p in packages if any(isinstance(r[p], Void) for r in (answers, single, many))]
    return 1 if failed else 0


def ask(client: Client) -> Sample:
    """Ask for what everybody knows and for the largest number; any wrong digit is an error."""
    check([client.call(10_000)], [fib(10_000)])
    check([client.call(30)], [832_040])
    return Sample([0.0])


def table(packages: list[str], answers: Results, single: Results, many: Results) -> Table:
    """Return the comparison."""
    result = Table(title="One call, three implementations" if len(packages) == 3 else None)
    result.add_column("implementation")
    for heading in (
        "fib(30)",
        "fib(10000)",
        "median",
        "p99",
        "calls/s",
        f"calls/s,\n{WINDOW} in flight",
        f"median /\n{BASE}",
        "lines\nof code",
    ):
        result.add_column(heading, justify="right")
    base = single.get(BASE)
    for package in packages:
        voids = [r[package] for r in (answers, single, many) if isinstance(r[package], Void)]
        one, pushed = single[package], many[package]
        if voids or isinstance(one, Void) or isinstance(pushed, Void):
            reason = voids[0].reason if isinstance(voids[0], Void) else ""
            result.add_row(package, f"[red]void: {reason}[/red]")
            continue
        compared = "" if package == BASE else "-"
        if package != BASE and isinstance(base, Measured):
            compared = times(ratio(one.passes, base.passes))
        result.add_row(
            package,
            "832040",
            "2,090 digits",
            milliseconds(quantile(one.times, 0.5)),
            milliseconds(quantile(one.times, 0.99)),
            calls_per_second(sum(one.times) / len(one.times)),
            calls_per_second(quantile(pushed.passes, 0.5)),
            compared or "1",
            str(lines_of_code(package)),
        )
    return result


def lines_of_code(package: str) -> int:
    """Count the lines that hold code in a package: no comments, no docstrings, no empty lines."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        return 0
    files = Path(found.submodule_search_locations[0]).glob("*.py")
    return sum(len(code_lines(path.read_text())) for path in files)


def code_lines(source: str) -> set[int]:
    """Return the numbers of the lines that hold code."""
    tree = ast.parse(source)
    docstrings = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
        and isinstance(node.body[0].value, ast.Constant)
        and isinstance(node.body[0].value.value, str)
    }
    gone: set[int] = set()
    for each in docstrings:
        gone.update(range(each.lineno, (each.end_lineno or each.lineno) + 1))
    lines = enumerate(source.splitlines(), start=1)
    return {
        number
        for number, line in lines
        if number not in gone and line.strip() and not line.strip().startswith("#")
    }


if __name__ == "__main__":
    sys.exit(main())
