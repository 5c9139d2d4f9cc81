"""Where the code cites a clause: found in docstrings and comments, so that a list of the places cannot rot.

A clause is cited by its number, as in "(C12)" or "C12: why"; `Names` and `Wire` at a docstring's beginning only.
"""

import ast
import io
import re
import tokenize
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from contract.clauses import CLAUSES
from tests.documents import names_of

NUMBERS = re.compile(r"\bC\d+\b|\A(?:Names|Wire)(?=[,:])")
SECTION = re.compile(r"# -- (.+?) \(C\d")  # a comment that heads several methods

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Place(NamedTuple):
    """A file of the project, and the class, function or constant; with a section of a class if it is one."""

    file: str
    name: str = ""  # none is the file as a whole
    section: str = ""


def places(root: Path, package: str, leave_out: Collection[str] = ()) -> dict[str, list[Place]]:
    """Return where a package's files cite each clause. A file that is cited by its parts is not listed itself."""
    found: dict[str, list[Place]] = {clause: [] for clause in CLAUSES}
    for path in sorted((root / package).rglob("*.py")):
        if str(path.relative_to(root)) in leave_out:
            continue
        file = str(path.relative_to(root))
        cited = sorted(citations(path.read_text()), key=lambda each: each[0])
        for clause, listed in found.items():
            here = [Place(file, *at) for _, text, *at in cited if clause in NUMBERS.findall(text)]
            parts = [place for place in here if place.name]
            listed += dict.fromkeys(parts or here)
    return found


def citations(source: str) -> Iterator[tuple[int, str, str, str]]:
    """Yield each docstring and comment of a module: its line, its text, whose it is, and a section's title."""
    module = ast.parse(source)
    yield 0, ast.get_docstring(module) or "", "", ""
    yield from documented(module, "")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            line = token.start[0]
            section = SECTION.match(token.string)
            yield line, token.string, owner(module, line), section[1] if section else ""


def documented(node: ast.Module | ast.ClassDef, within: str) -> Iterator[tuple[int, str, str, str]]:
    """Yield the docstrings of a module's or a class's definitions, and those below its constants."""
    for at, child in enumerate(node.body):
        if isinstance(child, Definition):
            name = within + child.name
            yield child.lineno, ast.get_docstring(child) or "", name, ""
            if isinstance(child, ast.ClassDef):
                yield from documented(child, f"{name}.")
        elif at and isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            name = named(node.body[at - 1])
            if name and isinstance(child.value.value, str):
                yield child.lineno, child.value.value, within + name, ""


def owner(module: ast.Module, line: int) -> str:
    """Return the class, method, function or constant that a comment is in, or stands above."""
    for statement in module.body:
        if line <= (statement.end_lineno or 0):
            return innermost(statement, line)
    return ""


def innermost(node: ast.stmt, line: int) -> str:
    """Return the name of a definition, or in a class, of the one that this line is in. Not within functions."""
    name = named(node)
    for child in node.body if isinstance(node, ast.ClassDef) else ():
        if named(child) and child.lineno <= line <= (child.end_lineno or 0):
            return f"{name}.{innermost(child, line)}"
    return name


def named(node: ast.stmt) -> str:
    """Return what a statement defines."""
    return "".join(names_of(node)[:1])
