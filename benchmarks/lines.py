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
