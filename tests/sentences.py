"""Every promised sentence, and the tests that prove it: `tests/sentences.toml`, which `make check` compares.

The sentences are read where they stand: the clauses, the docstrings of the client's interface, `--help`, and
"Limits" in docs/running-it-for-real.md. Each is a key of the map, to the letter. So a sentence that is new,
reworded or gone makes the check fail until somebody has looked at its tests; and so does a test that is gone.

A key's value is a list of tests, `calls::test_timeout` for one in tests/test_calls.py, or a text that says why
there is none. A clause's tests cite that clause, and one of them at least runs on every implementation. One that
`needs` what is lacking somewhere does, too: it has to fail there.
"""

import ast
import io
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout, suppress
from inspect import getdoc, getsource
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from contract.clauses import CLAUSES
from contract.client import RpcClient, Stats
from harness.implementations import IMPLEMENTATIONS, client_class
from rpc_core.programs import parse_server_options, run_client

ROOT = Path(__file__).parent.parent
MAP = ROOT / "tests" / "sentences.toml"
LIMITS = ROOT / "docs" / "running-it-for-real.md"
RUNS_ON_ALL = {"backend", "serve", "connect", "client"}  # conftest.py's, once for each

Sentences = Mapping[str, list[str]]  # by section of the map


class Known(NamedTuple):
    """What is known of a test from its source."""

    clauses: frozenset[str]
    on_all: bool


def main() -> int:
    """Say what is wrong with the map; return the exit code."""
    problems = list(compare(sentences(), tomllib.loads(MAP.read_text()), known_tests()))
    for problem in problems:
        print(f"{MAP.relative_to(ROOT)}: {problem}", file=sys.stderr)
    return 1 if problems else 0


# -- what is promised ------------------------------------------------------------------------------------


def sentences() -> Sentences:
    """Return all sentences, by where they stand."""
    clauses = {name: split(clause.text) for name, clause in CLAUSES.items()}
    return clauses | {
        "contract/client.py": [*docstrings(), *fields()],
        "rpc_client --help": help_of("rpc_client"),
        "rpc_server --help": help_of("rpc_server"),
        "Limits": limits(LIMITS.read_text()),
    }


def split(text: str) -> list[str]:
    """Return the sentences of a text."""
    return re.split(r"(?<=\.) (?=[A-Z`*])", " ".join(text.split()))


def docstrings() -> Iterator[str]:
    """Yield what the client's interface says, with the name that it says it of."""
    for name in ("", "call", "submit", "stats", "close"):
        said = getdoc(getattr(RpcClient, name) if name else RpcClient) or ""
        prose, _, raises = said.partition("Raises:")
        lines = [line for paragraph in prose.split("\n\n") for line in split(paragraph) if line]
        for line in [*lines, *(line.strip() for line in raises.splitlines() if line.strip())]:
            yield f"{name or RpcClient.__name__}: {line}"
    yield f"Stats: {Stats.__doc__}"


def fields() -> Iterator[str]:
    """Yield what stands beside the counters."""
    for name, comment in re.findall(r"^ +(\w+): int = 0(?:  # (.*))?$", getsource(Stats), re.M):
        yield f"stats.{name}: {comment or 'an integer'}"


def help_of(program: str) -> list[str]:
    """Return what a program says of itself, its options and its exit codes."""
    written = io.StringIO()
    # one line for each option, however wide the terminal is
    with patch.dict(os.environ, COLUMNS="1000"), redirect_stdout(written), suppress(SystemExit):
        if program == "rpc_client":
            run_client("PACKAGE", client_class(IMPLEMENTATIONS[0]), ["--help"])
        else:
            parse_server_options("PACKAGE", ["--help"])
    _usage, description, *options, codes = written.getvalue().strip().split("\n\n")
    entries = re.findall(r"^  (?! )(.*?)(?:\n? {2,})(.*)$", "\n".join(options), re.M)
    said = [f"{name}: {text}" for name, text in entries]
    return [description, *said, *(f"exit code {code}" for code in re.split("[:;] ", codes)[1:])]


def limits(document: str) -> list[str]:
    """Return the sentences of the section "Limits"."""
    section = document.partition("\n## Limits\n")[2].partition("\n## ")[0].rstrip()
    return [sentence for item in section.split("\n- ")[1:] for sentence in split(item)]


# -- what there is ---------------------------------------------------------------------------------------


def known_tests() -> Mapping[str, Known]:
    """Return the suite's tests by their short names."""
    found = {}
    for path in sorted((ROOT / "tests").glob("test_*.py")):
        functions = [
            node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)
        ]
        own = {node.name: asked_for(node) for node in functions if "pytest.fixture" in marks(node)}
        for node in functions:
            if node.name.startswith("test_"):
                cited = re.match(r"[\w, ]+(?=: )", ast.get_docstring(node) or "")
                name = f"{path.stem.removeprefix('test_')}::{node.name}"
                clauses = frozenset(cited[0].split(", ")) if cited else frozenset()
                left_out = "pytest.mark.only_with" in marks(node)
                found[name] = Known(clauses, not left_out and reaches_all(asked_for(node), own))
    return found


def marks(function: ast.FunctionDef) -> set[str]:
    """Return what decorates a function, without arguments."""
    return {ast.unparse(each).partition("(")[0] for each in function.decorator_list}


def asked_for(function: ast.FunctionDef) -> set[str]:
    """Return the fixtures that a test or a fixture asks for."""
    return {argument.arg for argument in function.args.args}


def reaches_all(fixtures: set[str], own: Mapping[str, set[str]]) -> bool:
    """Whether these lead to a fixture that conftest.py has for each implementation, and not the file's own."""
    for name in fixtures:
        others = {fixture: asked for fixture, asked in own.items() if fixture != name}
        if reaches_all(own[name], others) if name in own else name in RUNS_ON_ALL:
            return True
    return False


def compare(
    promised: Sentences, mapped: Mapping[str, Mapping[str, Any]], known: Mapping[str, Known]
) -> Iterator[str]:
    """Yield what is wrong with a map."""
    for section in mapped.keys() - promised.keys():
        yield f"nothing is promised in {section!r}"
    for section, texts in promised.items():
        entries = mapped.get(section, {})
        for text in entries.keys() - set(texts):
            yield f"{section}: nothing says any more: {text}"
        for text in texts:
            for problem in wrong(section, entries.get(text), known):
                yield f"{section}: {problem}: {text}"


def wrong(section: str, entry: Any, known: Mapping[str, Known]) -> Iterator[str]:
    """Yield what is wrong with one entry."""
    if isinstance(entry, str) and entry:
        return  # why there is no test
    if not entry:
        yield "no test"
        return
    for name in entry:
        if name not in known:
            yield f"no test {name}"
        elif section in CLAUSES and section not in known[name].clauses:
            yield f"{name} does not cite the clause"
    if section in CLAUSES and not any(known[name].on_all for name in entry if name in known):
        yield "no test that runs on every implementation"


if __name__ == "__main__":
    sys.exit(main())
