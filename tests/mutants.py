"""`make mutants`: what the quick tests let pass when one thing in the machinery is changed, each thing in turn.

mutmut changes contract/ and rpc_core/ in over a thousand places, one at a time, and runs the tests that need no
broker; `[tool.mutmut]` in pyproject.toml says which. A change that no test notices survives. Each survivor is in
`mutants.toml`, as `old line -> new line` below its function, with the reason why it may. This module compares: a
survivor without a reason fails, and so does a reason whose change is noticed by now.

mutmut was taken rather than cosmic-ray, because it runs only the tests that reach a change, in a fork of a process
that has imported everything; cosmic-ray starts pytest anew for each change.
"""

import ast
import difflib
import json
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
REASONS = Path(__file__).with_suffix(".toml")
RESULTS = ROOT / "mutants"  # what mutmut writes
UNNOTICED = (0, 5, 33)  # all tests passed; no test reaches it


def main() -> int:
    """Compare what survived with the reasons; return the exit code."""
    found: dict[str, set[str]] = defaultdict(set)
    ran = 0
    for path in sorted(RESULTS.glob("*/*.meta")):
        codes = json.loads(path.read_text())["exit_code_by_key"]
        ran += len(codes)
        survivors = [name for name, code in codes.items() if code in UNNOTICED]
        for function, changed in changes(path.with_suffix("").read_text(), survivors):
            found[function].add(changed)
    problems = list(compare(found, tomllib.loads(REASONS.read_text())))
    print(f"{ran} mutants, {sum(map(len, found.values()))} kinds survived", *problems, sep="\n")
    return 1 if problems or not ran else 0


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
        lines = difflib.ndiff(
            defined[f"{function}__mutmut_orig"].splitlines()[1:], defined[name].splitlines()[1:]
        )
        sides: dict[str, list[str]] = {"- ": [], "+ ": []}
        for line in lines:
            sides.get(line[:2], []).append(line[2:].strip())
        readable = function.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
        yield f"{module}.{readable}", " -> ".join(" ".join(side) for side in sides.values())


def compare(found: dict[str, set[str]], reasons: dict[str, dict[str, str]]) -> Iterator[str]:
    """Yield the survivors without a reason, and the reasons without a survivor."""
    for function in sorted(found.keys() | reasons.keys()):
        survivors, explained = found.get(function, set()), reasons.get(function, {})
        for change in sorted(survivors - explained.keys()):
            yield f"survived: {function}: {change}"
        for change in sorted(explained.keys() - survivors):
            yield f"no longer survives: {function}: {change}"


if __name__ == "__main__":
    sys.exit(main())
