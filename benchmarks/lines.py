"""How long the code is: lines without comments, docstrings and empty lines."""

import ast
from importlib.util import find_spec
from pathlib import Path


def lines_of_code(package: str) -> int:
    """Count the lines that hold code in a package: no comments, no docstrings, no empty lines."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        return 0
    files = Path(found.submodule_search_locations[0]).glob("*.py")
    return sum(len(code_lines(path.read_text())) for path in files)


def code_lines(source: str) -> set[int]:
    """Return the numbers of the lines that hold code."""
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(ast.Constant(str())):  # under an attribute, too
                docstrings.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return {
        number
        for number, line in enumerate(source.splitlines(), start=1)
        if number not in docstrings and line.strip() and not line.strip().startswith("#")
    }
