"""README and docs/ as data: their blocks, links and generated parts.

`python -m tests.documents` updates the generated parts: excerpts of the source, counts of its lines, the
README's first table.
`tests/test_docs.py` checks that they are current, and runs what the pages show.

| in a page | what it means |
| --- | --- |
| `console` | each `$ command` is run; `...` in its output is anything, alone in a line any lines. |
| `$ echo $?` | follows every command that fails |
| `console background` | one command, started; it ends at the next heading |
| `console not-run: reason` | only checked for its syntax |
| `python file=NAME` | written to that file, for a command to run |
| `<!-- source: FILE NAME ... -->` | one or more; the `python` block after them is those definitions |
| `NAME [FIRST .. LAST; LINE]` | of that definition only the signature, and these lines; see `selection` |
| `<!-- lines:begin -->`, `<!-- lines:end -->` | between them, a table of files and their lines |
| a line of `make compare`'s table | its last figure is the package's lines of code |
| `<!-- choice:begin -->` | the README's first table, from `benchmarks/front_page.py` |
"""

import ast
import functools
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import front_page
from benchmarks.lines import lines_of_code
from benchmarks.results import published
from harness.implementations import IMPLEMENTATIONS
from harness.program import PROJECT_ROOT

FENCE = re.compile(r"^( *)```(\w*) ?(.*)$")
SOURCE = re.compile(r"^<!-- source: (\S+) (.+) -->$")
PART = re.compile(r"([\w.]+)(?: \[([^\]]+)\])?(?: |$)")  # a name, and which of its lines
HEADING = re.compile(r"^#+ (.*)$")
COMPARED = re.compile(r"^(  (\w+_(?:pika|impl)) .* )\d+$", re.MULTILINE)
LINES = re.compile(r"(<!-- lines:begin -->\n).*?(<!-- lines:end -->)", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: where it begins, its language, what follows that, and its text."""

    line: int
    section: str
    language: str
    note: str
    text: str
    source: str = ""  # of an excerpt: a line for each file, with the names


@dataclass(frozen=True)
class Command:
    """What is typed after a `$`, and what it is to write."""

    text: str
    output: str


def pages() -> list[Path]:
    """Return every page, the README first."""
    return [
        *sorted(PROJECT_ROOT.glob("*.md"), reverse=True),
        *sorted(PROJECT_ROOT.glob("docs/*.md")),
    ]


def blocks(text: str) -> Iterator[Block]:
    """Yield a page's fenced blocks."""
    section = source = ""
    opened: tuple[int, re.Match[str]] | None = None
    content: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        fence = FENCE.match(line)
        if opened is None and fence:
            opened, content = (number, fence), []
        elif opened is not None and fence and not fence[2]:
            first, begin = opened
            inside = textwrap.dedent("\n".join(content)) + "\n" * bool(content)
            yield Block(first, section, begin[2], begin[3], inside, source)
            opened, source = None, ""
        elif opened is not None:
            content.append(line)
        elif heading := HEADING.match(line):
            section = heading[1]
        elif found := SOURCE.match(line):
            source += f"{found[1]} {found[2]}\n"


def commands(text: str) -> list[Command]:
    """Return the commands of a console block, each with its output."""
    found: list[tuple[list[str], list[str]]] = []
    continued = False
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        else:
            if not found:
                raise ValueError(f"output without a command: {line!r}")
            found[-1][not continued].append(line)
        continued = line.endswith("\\") and (continued or line.startswith("$ "))
    return [Command("\n".join(typed), "\n".join(output)) for typed, output in found]


def pattern(output: str) -> str:
    """Return a regular expression for an expected output."""
    lines = []
    for line in output.rstrip().splitlines():
        if line.strip() == "...":
            lines.append(r"(?:.*\n)*?")
        else:
            lines.append(".*".join(map(re.escape, line.rstrip().split("..."))) + r"[ ]*\n")
    return "".join(lines)


# -- what is generated -----------------------------------------------------------------------------


def excerpt(source: str) -> str:
    """Return what markers name, each a file and names such as `Class.method`, whole or in part.

    When there are several files, a comment with its name precedes what is taken from each.
    """
    markers = [line.split(maxsplit=1) for line in source.splitlines()]
    found = []
    for file, names in markers:
        text = (PROJECT_ROOT / file).read_text()
        parts = list(PART.finditer(names))
        if "".join(part[0] for part in parts) != names:
            raise ValueError(f"not names, nor names with [FIRST .. LAST; LINE]: {names}")
        try:
            taken = [selection(definition(text, part[1]), part[2]) for part in parts]
        except ValueError as error:
            raise ValueError(f"{error} in {file}") from None
        found.append(f"# {file}\n" * (len(markers) > 1) + "\n".join(taken))
    return "\n".join(found)


def selection(text: str, wanted: str | None) -> str:
    """Return a definition's signature and the wanted ranges of lines; `# ...` stands for what is left out.

    Without `wanted` it is the whole definition. A range is a piece of its first line, ` .. `, and a piece of its
    last line; or a piece of its only line. Each is looked for after the range before it; ranges are separated by
    `; `. Nothing stands for a docstring or an empty line that is left out.

    Raises:
        ValueError: a piece is in no line: the source has changed.
    """
    if wanted is None:
        return text
    lines = text.splitlines(keepends=True)
    begin, silent = signature_end(text)
    kept = set(range(begin))
    at = begin
    for each in wanted.split("; "):
        first, _, last = each.partition(" .. ")
        start = line_with(first, lines, at)
        at = line_with(last or first, lines, start) + 1
        kept.update(range(start, at))
    written: list[str] = []
    elided = ""  # the indentation of `# ...`, with its end
    for number, line in enumerate(lines):
        if number in kept:
            written += [elided, line]
            elided = ""
        elif line.strip() and number not in silent and not elided:
            elided = line[: len(line) - len(line.lstrip())] + "# ...\n"
    return "".join([*written, elided])


def signature_end(text: str) -> tuple[int, range]:
    """Return how many lines a definition's signature has, and which lines are its docstring."""
    statement = ast.parse(text).body[0]
    if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return 0, range(0)
    first = statement.body[0]
    end = first.lineno - 1
    while text.splitlines()[end - 1].lstrip().startswith("#"):
        end -= 1
    documented = ast.get_docstring(statement) is not None
    return end, range(end, first.end_lineno or end) if documented else range(0)


def line_with(piece: str, lines: list[str], begin: int) -> int:
    """Return the number of the next line that contains a piece of text."""
    for number, line in enumerate(lines[begin:], start=begin):
        if piece in line:
            return number
    raise ValueError(f"no line with {piece!r} after line {begin} of: {lines[0].strip()}")


@functools.cache
def parsed(text: str) -> ast.Module:
    """Return a module's syntax tree; pages ask for the same few modules hundreds of times."""
    return ast.parse(text)


def definition(text: str, name: str) -> str:
    """Return one definition out of a module's text, with its decorators and without its indentation.

    Raises:
        ValueError: there is none of that name: the source has changed.
    """
    lines = text.splitlines(keepends=True)
    node: ast.AST = parsed(text)
    for part in name.split("."):
        found = [child for child in ast.iter_child_nodes(node) if part in names_of(child)]
        if not found:
            raise ValueError(f"no definition of {name!r}")
        node = found[0]
    assert isinstance(node, ast.stmt)
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(each.lineno for each in decorators)])
    return textwrap.dedent("".join(lines[first - 1 : node.end_lineno]))


def names_of(node: ast.AST) -> list[str]:
    """Return what a statement defines."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [each.id for each in targets if isinstance(each, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []


def line_table() -> str:
    """Return the table of files, for a page in docs/: lines in all, and lines of code."""
    rows = ["| | files and their lines | lines of code |", "| --- | --- | ---: |"]
    for package in (*IMPLEMENTATIONS, "kombu_common", "rpc_core", "contract"):
        found = (PROJECT_ROOT / package).glob("*.py")
        # where to begin comes first
        files = sorted(
            found, key=lambda path: (not path.stem.endswith(("client", "server")), path.name)
        )
        files = [path for path in files if path.name != "__init__.py"]
        counted = [
            f"[{path.name}](../{package}/{path.name}) {len(path.read_text().splitlines())}"
            for path in files
        ]
        rows.append(f"| `{package}/` | {', '.join(counted)} | {lines_of_code(package)} |")
    return "\n".join(rows) + "\n"


def generate(text: str) -> str:
    """Return a page with its generated parts as they should be."""
    text = LINES.sub(lambda found: found[1] + line_table() + found[2], text)
    text = COMPARED.sub(lambda found: found[1] + str(lines_of_code(found[2])), text)
    if "<!-- choice:begin -->" in text:
        text = front_page.filled(text, published()[0])
    lines = text.splitlines(keepends=True)
    written: list[str] = []
    source = ""
    skipping = False
    for line in lines:
        if skipping and line.startswith("```"):
            skipping = False
        if skipping:
            continue
        written.append(line)
        if found := SOURCE.match(line.rstrip("\n")):
            source += f"{found[1]} {found[2]}\n"
        elif source and line.startswith("```python"):
            written.append(excerpt(source))
            source, skipping = "", True
    return "".join(written)


def main() -> int:
    """Write the generated parts of every page; say which excerpt cannot be made."""
    failed = False
    for page in pages():
        old = page.read_text()
        try:
            new = generate(old)
        except (OSError, ValueError) as error:
            print(f"{page.relative_to(PROJECT_ROOT)}: an excerpt: {error}", file=sys.stderr)
            failed = True
            continue
        if new != old:
            page.write_text(new)
            print(f"{page.relative_to(PROJECT_ROOT)} was updated")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
