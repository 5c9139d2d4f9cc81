"""README and docs/: what they show is run, what they quote is current, what they link to is there."""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from contract.clauses import CLAUSES
from harness.broker import PrivateBroker
from harness.program import PROJECT_ROOT, Program
from tests import documents
from tests.documents import (
    Block,
    Command,
    blocks,
    commands,
    definition,
    excerpt,
    generate,
    pages,
    pattern,
    selection,
)

PAGES = {str(page.relative_to(PROJECT_ROOT)): page for page in pages()}
EXAMPLE_BROKER = "localhost:5672"  # in a command it stands for the broker of the run
LANGUAGES = {"console", "python", "mermaid", "ini", "text"}
HOSTS = re.compile(
    r"github\.com|www\.rabbitmq\.com|docs\.celeryq\.dev|localhost|127\.0\.0\.1|[\w.-]*example\.(com|org)|broker-\d"
)


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> Path:
    """Each page in turn."""
    return PAGES[request.param]


class Reader:
    """Somebody who types what a page says, in a folder that looks like this project's."""

    def __init__(self, broker: PrivateBroker, folder: Path, stack: ExitStack) -> None:
        self._broker = broker
        self._folder = folder
        self._background = stack.enter_context(ExitStack())
        self._ends: list[tuple[Program, str]] = []
        self._returncode = 0
        # a copy: what a page has its reader write must not be written here
        # (bytecode too, which is valid there: each page's programs need not compile the project again)
        leave_out = shutil.ignore_patterns(".*", "out")
        shutil.copytree(PROJECT_ROOT, folder, dirs_exist_ok=True, ignore=leave_out)
        (folder / "rabbitmqctl").write_text(
            "#!/bin/sh\n"
            + "".join(f"export {k}={shlex.quote(v)}\n" for k, v in broker._environment().items())
            + f'exec {shlex.quote(broker._rabbitmqctl)} --quiet --node {broker.node} "$@"\n'
        )
        (folder / "rabbitmqctl").chmod(0o755)
        places = os.pathsep.join(
            [str(folder), str(Path(sys.executable).parent), os.environ["PATH"]]
        )
        self._env = {"PATH": places, "AMQP_URL": broker.url, "PYTHONPATH": str(folder)}

    def read(self, text: str) -> None:
        """Do what the page says, from its beginning to its end."""
        section = ""
        for block in blocks(text):
            if block.section != section:
                self.end_background()
                section = block.section
            if block.language == "python" and block.note.startswith("file="):
                (self._folder / block.note.removeprefix("file=")).write_text(block.text)
            elif block.language == "console" and not block.note.startswith("not-run"):
                self.type(commands(block.text), background=block.note == "background")
        self.end_background()

    def type(self, typed: list[Command], *, background: bool) -> None:
        """Run the commands of a block; one that fails is followed by a look at its exit code."""
        for command, following in zip(typed, [*typed[1:], None], strict=True):
            if background:
                self.start(command)
            else:
                self.run(command)
                looked_at = following is not None and following.text == "echo $?"
                assert self._returncode == 0 or looked_at, f"$ {command.text}: {self._returncode}"

    def run(self, command: Command) -> None:
        """Run a command to its end."""
        text = f"(exit {self._returncode})\n{self.adapt(command.text)}"
        done = subprocess.run(
            ["bash", "-c", text],
            cwd=self._folder,
            env=os.environ | self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        self._returncode = done.returncode
        output = "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())
        assert re.fullmatch(pattern(command.output), output), f"$ {command.text}\n{output}"

    def start(self, command: Command) -> None:
        """Start a command and wait for the first line that it shows."""
        first = command.output.splitlines()[0]
        line = ["bash", "-c", f"exec {self.adapt(command.text)}"]
        program = Program(line, ready="^" + pattern(first), cwd=self._folder, env=self._env)
        self._background.enter_context(program)
        self._ends.append((program, command.output))

    def end_background(self) -> None:
        """End what was started, when it has shown everything."""
        for program, output in self._ends:
            program.wait_for_output("^" + pattern(output))
            program.interrupt()  # as the pages say
        self._ends = []
        self._background.pop_all().close()

    def adapt(self, text: str) -> str:
        """Return a command with the address of this run's broker."""
        return text.replace(EXAMPLE_BROKER, f"127.0.0.1:{self._broker.port}")


@pytest.fixture
def reader(private_broker: PrivateBroker, tmp_path: Path) -> Iterator[Reader]:
    """A reader."""
    with ExitStack() as stack:
        yield Reader(private_broker, tmp_path, stack)


@pytest.mark.timeout(240)  # some pages start a dozen programs, one after the other
@pytest.mark.parametrize(
    "name", [name for name, page in PAGES.items() if "```console" in page.read_text()]
)
def test_what_a_page_shows(name: str, reader: Reader, channel: Any) -> None:
    """Every command of a page writes what the page says."""
    text = PAGES[name].read_text()
    try:
        reader.read(text)
    finally:
        for queue in {"rpc_queue", *re.findall(r"--queue (\w+)", text)}:
            channel.queue_delete(queue)


def test_blocks_are_declared(page: Path) -> None:
    """A block is run, or is an excerpt, or says why not; what is not run is at least well-formed."""
    for block in blocks(page.read_text()):
        where = f"{page.name}:{block.line}"
        assert block.language in LANGUAGES, where
        if block.language == "python":
            ast.parse(block.text)
            assert block.source or block.note.startswith("file="), where
        elif block.language == "console":
            assert re.fullmatch(r"(background|not-run: \w.{10,})?", block.note), where
            found = commands(block.text)
            assert found, where
            assert block.note != "background" or len(found) == 1, where
            for command in found:
                subprocess.run(["bash", "-n", "-c", command.text], check=True)
                assert_targets_exist(command, where)


def assert_targets_exist(command: Command, where: str) -> None:
    """Fail if a command asks make for what it does not have."""
    targets = re.findall(r"^([a-z]+):", (PROJECT_ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in re.findall(r"^make ([a-z]+)", command.text):
        assert target in targets, where


def test_generated_parts_are_current(page: Path) -> None:
    """Excerpts and counts are those of the source; `python -m tests.documents` updates them."""
    text = page.read_text()
    if generate(text) != text:
        pytest.fail(f"{page.name} is stale; to update it: python -m tests.documents")


def test_links(page: Path) -> None:
    """A link leads to a file, a heading or a public site; the name of a definition to where it is."""
    text = without_blocks(page)
    for label, target in re.findall(r"\[([^\]]*)\]\(([^)]+)\)", text):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), target
        assert path.is_relative_to(PROJECT_ROOT), target
        if anchor:
            assert anchor in anchors(path), target
        name = re.fullmatch(r"`?([\w.]*[a-z]\w*)`?", label)
        if path.suffix == ".py" and name and name[1] != path.name and "/" not in label:
            assert defines(path.read_text(), name[1]), f"{label} in {target}"


def test_names_in_the_text(page: Path) -> None:
    """Files, tests, clauses and hosts that a page names exist."""
    text = without_blocks(page)
    for file, test in re.findall(r"\b(tests/\w+\.py)(?:::(\w+))?", text):
        assert (PROJECT_ROOT / file).exists(), file
        assert not test or defines((PROJECT_ROOT / file).read_text(), test), f"{file}::{test}"
    for file in re.findall(r"`([\w.-]+(?:/[\w.-]+)+\.(?:py|md|sh|json|svg))`", text):
        assert (PROJECT_ROOT / file).exists() or file.startswith(("celery/", "kombu/")), file
    assert {*re.findall(r"\bC\d+\b", text)} <= CLAUSES.keys()
    whole = page.read_text()
    for host in re.findall(r"\b(?:https?|amqps?)://(?:[^/\s@]*@)?([\w.-]+)", whole):
        assert HOSTS.fullmatch(host), host
    assert not re.search(r"(?<![\w.])/(home|root|work|tmp|usr)/", whole)


def without_blocks(page: Path) -> str:
    """Return a page's text without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", without_blocks(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def defines(text: str, name: str) -> bool:
    """Whether a module defines a name, alone or in one of its classes."""
    classes = re.findall(r"^class (\w+)", text, re.MULTILINE)
    for candidate in (name, *(f"{each}.{name}" for each in classes)):
        try:
            definition(text, candidate)
        except ValueError:
            continue
        return True
    return False


def test_figures_of_the_readme() -> None:
    """What the README says beside its generated parts is so: versions, tests that fail, an hour."""
    text = (PROJECT_ROOT / "README.md").read_text()
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
    assert re.findall(r"python3 \((\S+) or newer\)", text) == [project["requires-python"][2:]]
    record = json.loads((PROJECT_ROOT / "docs" / "conformance.json").read_text())
    runs = [run for clause in record["clauses"].values() for run in clause["outcomes"].values()]
    expected = sum(sum(run["expected"].values()) for run in runs)
    assert re.findall(r"(\d+) xfailed", text) == [str(expected)]
    plan = text.partition("## An hour's reading")[2].partition("\n## ")[0]
    assert sum(map(int, re.findall(r"^\| (\d+) \|", plan, re.MULTILINE))) == 60


# -- the check itself ------------------------------------------------------------------------------


def test_pattern() -> None:
    """`...` stands for anything in a line, and alone for any lines; nothing else is left out."""
    expected = "a ... c\n...\nlast (x)"
    assert re.fullmatch(pattern(expected), "a b c\none\ntwo\nlast (x)\n")
    assert re.fullmatch(pattern(expected), "a  c\nlast (x)\n")
    assert not re.fullmatch(pattern(expected), "a b c\none\n")
    assert not re.fullmatch(pattern(expected), "a b c\nlast (x)\nmore\n")
    assert re.fullmatch(pattern(""), "")


def test_blocks() -> None:
    """Blocks are found with their section, note and source; commands with their output."""
    text = "# A\n<!-- source: a.py b -->\n```python\nx\n```\n1. One\n"
    text += "   ```console not-run: x\n   $ a \\\n     b\n   c\n   ```\n"
    assert list(blocks(text)) == [
        Block(3, "A", "python", "", "x\n", "a.py b\n"),
        Block(7, "A", "console", "not-run: x", "$ a \\\n  b\nc\n"),
    ]
    assert commands("$ a \\\n  b\nc\n$ d\n") == [Command("a \\\n  b", "c"), Command("d", "")]


def test_excerpt() -> None:
    """Of several files each has its name above what is taken; a marker that cannot be read is an error."""
    marker = "contract/fibonacci.py fib [return a]\n"
    taken = "def fib(n: int) -> int:\n    # ...\n    return a\n"
    assert excerpt(marker) == taken
    assert excerpt(marker * 2) == "\n".join([f"# contract/fibonacci.py\n{taken}"] * 2)
    with pytest.raises(ValueError, match="not names"):
        excerpt("contract/fibonacci.py fib [return a\n")
    with pytest.raises(ValueError, match=r"no definition of 'fib\.gone' in contract/fibonacci\.py"):
        excerpt("contract/fibonacci.py fib.gone\n")


def test_excerpt_of_what_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be made again is said in one line, and the other pages are updated all the same."""
    page = "<!-- source: {} fib -->\n```python\n```\n"
    (tmp_path / "A.md").write_text(page.format("contract/fibonacci.py"))
    (tmp_path / "B.md").write_text(page.format("gone.py"))
    (tmp_path / "contract").mkdir()
    (tmp_path / "contract" / "fibonacci.py").write_text("def fib() -> None: ...\n")
    monkeypatch.setattr(documents, "PROJECT_ROOT", tmp_path)
    assert documents.main() == 1
    written = capsys.readouterr()
    assert written.out == "A.md was updated\n"
    assert re.fullmatch(r"B\.md: an excerpt: .*gone\.py.*\n", written.err)


def test_selection() -> None:
    """The signature and the wanted lines are kept; `# ...` stands for others, but not for a docstring."""
    signature = "def f(\n    x: int,\n) -> int:\n"
    documented = '    """It."""\n'
    body = "    # why\n    a = g(\n        x,\n    )\n    b = 1\n\n    return a\n"
    text = signature + documented + body
    assert selection(text, None) == text
    assert selection(text, "# why .. return") == signature + body
    assert selection(text, "g( .. )") == (
        f"{signature}    # ...\n    a = g(\n        x,\n    )\n    # ...\n"
    )
    assert selection(text, "b =; return") == f"{signature}    # ...\n    b = 1\n    return a\n"
    with pytest.raises(ValueError, match="no line with 'a ='"):
        selection(text, "b =; a =")
