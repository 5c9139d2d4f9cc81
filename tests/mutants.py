"""`make mutants`: what the tests let pass when one thing in the machinery is changed, each thing in turn.

mutmut changes contract/ and rpc_core/ in almost two thousand places, one at a time, and runs the tests that need
no broker; `[tool.mutmut]` in pyproject.toml says which. A change that none of them notices survives. A survivor
may stay if it is in `mutants.toml`, as `old line -> new line` below its function, with the reason. This module
puts the others through raw_pika's tests, with RabbitMQ, until one fails. What survives that too is an error, and
so is a reason whose change is noticed by now, or is no more.

mutmut was taken rather than cosmic-ray, because it runs only the tests that reach a change, in a fork of a process
that has imported everything; cosmic-ray starts pytest again for each change.
"""

import ast
import difflib
import json
import os
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).parent.parent
REASONS = Path(__file__).with_suffix(".toml")
RESULTS = ROOT / "mutants"  # what mutmut writes
Changes = Mapping[str, Collection[str]]  # by function

UNNOTICED = (0, 5, 33)  # all tests passed; no test reaches it
OUT_OF_TIME = (-24, 24, 36, 152, 255)  # a test waits for what never comes: noticed as well

# pytest's arguments, with RabbitMQ
TESTS = ["--backend", "raw_pika"]
# by module, those that most likely notice a change, and come first
FIRST = {
    "rpc_core.client": ["tests/test_calls.py"],
    "rpc_core.server": ["tests/test_server.py"],
}
AT_ONCE = 3 * (os.cpu_count() or 1)  # most tests wait
TIME_LIMIT = 1800.0  # of one change, in seconds


def main() -> int:
    """Try with RabbitMQ what survived and has no reason, and compare; return the exit code."""
    reasons = tomllib.loads(REASONS.read_text())
    unexplained = [
        mutant
        for mutant, function, change in survivors()
        if change not in reasons.get(function, ())
    ]
    if unexplained and run() != 0:  # they would seem to notice everything
        print("with nothing changed, tests fail")
        return 1
    try_with_broker(unexplained)
    found: dict[str, set[str]] = defaultdict(set)
    for _, function, change in survivors():
        found[function].add(change)
    problems = [f"survived: {change}" for change in beyond(found, reasons)]
    results = Counter(result_of(code) for path in metas() for code in codes(path).values())
    if results["not run"] or not results:
        problems.append("not all were run: run it again, it goes on where it ended")
    else:
        problems += [f"no longer survives: {change}" for change in beyond(reasons, found)]
    told = ", ".join(f"{number} {result}" for result, number in sorted(results.items()))
    kinds = sum(map(len, found.values()))
    print(f"{results.total()} mutants: {told}; {kinds} kinds survived", *problems, sep="\n")
    return 1 if problems else 0


def try_with_broker(mutants: list[str]) -> None:
    """Run the tests with each of these, several at once, and note in mutmut's file which are noticed."""
    paths = {mutant: path for path in metas() for mutant in codes(path)}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {pool.submit(run, mutant): mutant for mutant in mutants}
        for number, done in enumerate(as_completed(running), 1):
            mutant, code = running[done], done.result()
            print(
                f"{number} of {len(mutants)}, with RabbitMQ: {mutant}: {result_of(code)}",
                flush=True,
            )
            noted = json.loads(paths[mutant].read_text())
            noted["exit_code_by_key"][mutant] = code
            paths[mutant].write_text(json.dumps(noted))


def run(mutant: str = "") -> int:
    """Run the tests with this change, or none, until one fails; return pytest's exit code."""
    module, _, _ = mutant.rpartition(".")
    command = [sys.executable, "-m", "pytest", "--exitfirst", "--quiet", "-p", "no:cacheprovider"]
    # for the programs that tests start, too
    environment = os.environ | {"MUTANT_UNDER_TEST": mutant}
    try:
        return subprocess.run(
            [*command, *TESTS, *FIRST.get(module, []), "tests"],
            cwd=RESULTS,
            env=environment,
            timeout=TIME_LIMIT,
            stdout=subprocess.DEVNULL,
        ).returncode
    except subprocess.TimeoutExpired:
        return max(OUT_OF_TIME)


def metas() -> list[Path]:
    """Return mutmut's files of results, one for each file that it changed."""
    return sorted(RESULTS.glob("*/*.meta"))


def codes(meta: Path) -> dict[str, int | None]:
    """Return the exit codes by the mutants' names in one of mutmut's files."""
    found: dict[str, int | None] = json.loads(meta.read_text())["exit_code_by_key"]
    return found


def survivors() -> Iterator[tuple[str, str, str]]:
    """Yield each that survived: its name, its function, and the change."""
    for path in metas():
        names = [name for name, code in codes(path).items() if code in UNNOTICED]
        yield from changes(path.with_suffix("").read_text(), names)


def result_of(code: int | None) -> str:
    """Return what pytest's exit code, or mutmut's, for a mutant comes down to."""
    if code is None:
        return "not run"
    if code in UNNOTICED:
        return "survived"
    return "out of time" if code in OUT_OF_TIME else "noticed"


def changes(source: str, mutants: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield each of these mutants, its function, and the change as `old -> new`, of what mutmut has written."""
    if not mutants:
        return
    defined = {
        node.name: ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and "__mutmut_" in node.name
    }
    for mutant in mutants:
        module, _, name = mutant.rpartition(".")
        function, _, _number = name.partition("__mutmut_")
        before, after = (
            defined[each].replace(each, function, 1).splitlines()
            for each in (f"{function}__mutmut_orig", name)
        )
        lines = difflib.ndiff(before, after)
        sides: dict[str, list[str]] = {"- ": [], "+ ": []}
        for line in lines:
            sides.get(line[:2], []).append(line[2:].strip())
        readable = function.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
        yield mutant, f"{module}.{readable}", " -> ".join(" ".join(side) for side in sides.values())


def beyond(changes: Changes, others: Changes) -> Iterator[str]:
    """Yield the changes, each with its function, that are not among the others."""
    for function in sorted(changes):
        for change in sorted(changes[function]):
            if change not in others.get(function, ()):
                yield f"{function}: {change}"


if __name__ == "__main__":
    sys.exit(main())
