"""`make mutants`: what the quick tests let pass when one thing in the machinery is changed, each thing in turn.

mutmut changes contract/ and rpc_core/ in over a thousand places, one at a time, and runs the tests that need no
broker; `[tool.mutmut]` in pyproject.toml says which. A change that no test notices survives. Each survivor is in
`mutants.toml`, as `old line -> new line` below its function, with the reason why it may. This module compares: a
survivor without a reason fails, and so does a reason whose change is noticed by now.

mutmut was taken rather than cosmic-ray, because it runs only the tests that reach a change, in a fork of a process
that has imported everything; cosmic-ray starts pytest again for each change.
"""

import ast
import difflib
import json
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
REASONS = Path(__file__).with_suffix(".toml")
RESULTS = ROOT / "mutants"  # what mutmut writes
Changes = Mapping[str, Collection[str]]  # by function

UNNOTICED = (0, 5, 33)  # all tests passed; no test reaches it
OUT_OF_TIME = (-24, 24, 36, 152, 255)  # a test waits for what never comes: noticed as well


def main() -> int:
    """Compare what survived with the reasons; return the exit code."""
    found: dict[str, set[str]] = defaultdict(set)
    results: Counter[str] = Counter()
    for path in sorted(RESULTS.glob("*/*.meta")):
        codes = json.loads(path.read_text())["exit_code_by_key"]
        results.update(map(result_of, codes.values()))
        survivors = [name for name, code in codes.items() if code in UNNOTICED]
        for function, changed in changes(path.with_suffix("").read_text(), survivors):
            found[function].add(changed)
    reasons = tomllib.loads(REASONS.read_text())
    problems = [f"survived: {change}" for change in beyond(found, reasons)]
    if results["not run"] or not results:
        problems.append("not all were run: run it again, it goes on where it ended")
    else:
        problems += [f"no longer survives: {change}" for change in beyond(reasons, found)]
    told = ", ".join(f"{number} {result}" for result, number in sorted(results.items()))
    kinds = sum(map(len, found.values()))
    print(f"{results.total()} mutants: {told}; {kinds} kinds survived", *problems, sep="\n")
    return 1 if problems else 0


def result_of(code: int | None) -> str:
    """Return what pytest's exit code, or mutmut's, for a mutant comes down to."""
    if code is None:
        return "not run"
    if code in UNNOTICED:
        return "survived"
    return "out of time" if code in OUT_OF_TIME else "noticed"


def changes(source: str, mutants: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the function and the change, as `old -> new`, of each of these mutants in what mutmut has written."""
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
        yield f"{module}.{readable}", " -> ".join(" ".join(side) for side in sides.values())


def beyond(changes: Changes, others: Changes) -> Iterator[str]:
    """Yield the changes, each with its function, that are not among the others."""
    for function in sorted(changes):
        for change in sorted(changes[function]):
            if change not in others.get(function, ()):
                yield f"{function}: {change}"


if __name__ == "__main__":
    sys.exit(main())
