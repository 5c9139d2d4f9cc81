"""What a run records, and docs/contract.md, which is made of it and of what the sources say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.front_page import is_kept
from contract.clauses import CLAUSES
from harness.implementations import IMPLEMENTATIONS
from tests import conformance_report
from tests.citations import Place, places
from tests.conformance import digest
from tests.conformance_report import (
    Known,
    Stale,
    broken,
    check_tests,
    count,
    documented_errors,
    error_table,
    filled,
    known,
    section,
    summary,
    tutorial,
)

CONFTEST = """
from pathlib import Path
from tests.conformance import Recorder

def pytest_configure(config):
    here = Path(__file__).parent
    config.pluginmanager.register(Recorder(here, here / "record.json"))
"""
SUITE = """
import pytest

@pytest.fixture
def broken_end():
    yield
    raise OSError

both = pytest.mark.parametrize("backend", ["one", "two"])

@both
def test_passes(backend):
    "C1: passes"

@both
def test_fails_for_one(backend):
    "C1, C2: fails"
    assert backend == "two"

@both
@pytest.mark.xfail(reason="it cannot", strict=True)
def test_expected_for_one(backend):
    "C3: fails"
    assert backend == "two"

@both
def test_ends_badly(backend, broken_end):
    "C4: passes, but"

@both
def test_skipped(backend):
    "C4: skipped"
    pytest.skip()

@both
def test_nameless(backend):
    "C: what"

def test_of_no_backend():
    "C1: fails"
    assert False
"""


def test_record(tmp_path: Path) -> None:
    """Each outcome is recorded, for each clause that a test names and each implementation."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_suite.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", "pytest.ini"]
    environment = {"PYTHONPATH": str(conformance_report.ROOT)}
    subprocess.run(command, cwd=tmp_path, env=environment, check=False, stdout=subprocess.PIPE)
    record = json.loads((tmp_path / "record.json").read_text())
    nothing = {"passed": 0, "failed": [], "expected": {}, "not_run": 0}
    failed = "test_suite.py::test_{}".format
    assert record["backends"] == ["one", "two"]
    assert {clause: entry["outcomes"] for clause, entry in record["clauses"].items()} == {
        "C1": {
            "one": nothing | {"passed": 1, "failed": [failed("fails_for_one[one]")]},
            "two": nothing | {"passed": 2},
        },
        "C2": {
            "one": nothing | {"failed": [failed("fails_for_one[one]")]},
            "two": nothing | {"passed": 1},
        },
        "C3": {
            "one": nothing | {"expected": {"it cannot": 1}},
            "two": nothing | {"failed": [failed("expected_for_one[two]")]},
        },
        "C4": {
            name: nothing | {"failed": [failed(f"ends_badly[{name}]")], "not_run": 1}
            for name in ("one", "two")
        },
        "no clause": {name: nothing | {"not_run": 0, "passed": 1} for name in ("one", "two")},
    }
    assert record["clauses"]["C2"]["tests"] == digest({"test_suite.py::test_fails_for_one[*]"})


PASSED = {"passed": 3, "failed": [], "expected": {}, "not_run": 0}
MIXED = {"passed": 3, "failed": ["one"], "expected": {"it cannot.": 2}, "not_run": 1}
PARTS = ("summary", "errors", "clauses")
PAGE = "\n".join(f"<!-- contract {name} -->\nold\n<!-- contract end -->" for name in PARTS)


@pytest.fixture
def nothing_known() -> Known:
    """As if all passed, and nothing else were known."""
    return Known(
        outcomes={clause: dict.fromkeys(IMPLEMENTATIONS, PASSED) for clause in CLAUSES},
        errors={clause: [] for clause in CLAUSES},
        kept={clause: {} for clause in CLAUSES},
        tests={},
        broken={clause: [] for clause in CLAUSES},
        tutorial={},
    )


def test_outcomes(nothing_known: Known) -> None:
    """What all keep is one sentence; whatever else became of a clause's tests is said of each implementation."""
    total = len(CLAUSES)
    said = summary(nothing_known)
    assert said.startswith(f"{total} of {total} clauses are kept by all: ")
    assert "\n- " not in said
    nothing_known.outcomes["C2"] = {"kombu_impl": PASSED, "celery_impl": MIXED}
    nothing_known.tutorial.update(C2="not kept", C19="kept")
    lines = summary(nothing_known).splitlines()
    assert lines[0].startswith(f"{total - 1} of {total} clauses are kept by all: ")
    assert [line for line in lines if line.startswith("- ")] == [
        "- [C2](#c2), raw_pika: no test.",
        "- [C2](#c2), celery_impl: **1 of its tests failed**.",
        "- [C2](#c2), celery_impl, a declared gap: it cannot.",
        "- [C2](#c2), celery_impl: 1 of its tests not run.",
    ]
    assert "| [C2](#c2) | correlation | 3, 7 | kombu_impl | not kept |" in lines
    assert "| [C19](#c19) | scale out | 3 | all | kept |" in lines
    assert "| [C20](#c20) | trust | 3 | all |  |" in lines
    assert count({}) == "0"


@pytest.mark.parametrize("kind", ["failed", "expected", "not_run"])
def test_kept(kind: str) -> None:
    """A clause is kept when its tests were run, and all passed."""
    assert is_kept(PASSED)
    assert not is_kept({**PASSED, kind: MIXED[kind]})
    assert not is_kept({**PASSED, "passed": 0})
    assert not is_kept(None)


def test_section(nothing_known: Known) -> None:
    """A section has a clause's sentences with their tests, and of the rest what there is."""
    title, *bare = section("C6", nothing_known)
    assert title == "**No consumers.**"
    assert bare[2] == "   - no test: not said why"
    assert bare[-2:] == [bare[2], ""]
    first, second = "With no server consuming the queue", "A server that comes up in time answers."
    nothing_known.errors["C6"] = ["RpcServerUnavailable"]
    nothing_known.kept["C6"] = {"pika": [Place("a/b.py", "C.f", "g"), Place("a/c.py")]}
    nothing_known.tests["C6"] = {second: ["calls::test_a", "pending::test_b"]}
    nothing_known.broken["C6"] = ["fails"]
    nothing_known.outcomes["C6"] = dict.fromkeys(IMPLEMENTATIONS, PASSED) | {"kombu_impl": None}
    nothing_known.tutorial["C6"] = "not kept"
    title, _, one, _, two, *rest, last = section("C6", nothing_known)
    assert title == "**No consumers.** Fails with [`RpcServerUnavailable`](#errors)."
    assert one.startswith(f"1. {first}")
    assert two == f"2. {second}"
    assert rest == [
        "   - [`test_a`](../tests/test_calls.py), [`test_b`](../tests/test_pending.py)",
        "",
        "- *Kept in* pika: [`C.f`](../a/b.py) (g), [c.py](../a/c.py)",
        "- *Broken on purpose in* [fails.py](../tests/broken/fails.py)",
        "- *But* kombu_impl: no test.",
    ]
    assert last.startswith("- *In the tutorial* not kept: Nothing says that nobody serves")
    nothing_known.tutorial["C6"] = "kept"
    assert [*section("C6", nothing_known)][-1] == "- *In the tutorial* kept"


def test_what_is_known() -> None:
    """What the sources say is found: errors, broken implementations, places, tests."""
    found = known({"clauses": {"C2": {"outcomes": {"raw_pika": PASSED}}}})
    assert found.outcomes["C2"] == {"raw_pika": PASSED}
    assert found.outcomes["C3"] == {}
    assert found.errors["C12"] == ["RpcConnectionLost"]
    assert found.errors["C20"] == found.errors["C23"] == ["RpcAccessRefused"]
    tls = Place("kombu_common/hardening.py", "tls_options")
    assert found.kept["C20"]["kombu and Celery"] == [tls]
    assert "late_by_a_blink" in found.broken["C4"]
    assert found.tests["C19"] != {}
    assert len(list(documented_errors())) == 7
    row = "| `RpcTimeout` | `TimeoutError` | No answer before the deadline. "
    assert row in error_table(found)


def test_tutorial() -> None:
    """Of the tutorial is told what was measured to the end."""
    outcomes = {"C1": "unsettled", "C2": "not kept", "C3": "kept"}
    measured = {clause: {"outcome": outcome} for clause, outcome in outcomes.items()}
    assert tutorial({"ladder.step0": {"clauses": measured}}) == {"C2": "not kept", "C3": "kept"}
    assert tutorial({}) == {}


def test_broken(tmp_path: Path) -> None:
    """A broken implementation is listed with each clause that it says it breaks."""
    (tmp_path / "a.py").write_text('BREAKS = {"C3", "C4"}\n')
    (tmp_path / "hang_b.py").write_text('BREAKS = {"C3"}\n')
    (tmp_path / "_c.py").write_text('BREAKS = {"C3"}\n')
    found = {clause: modules for clause, modules in broken(tmp_path).items() if modules}
    assert found == {"C3": ["a"], "C4": ["a"]}


SOURCE = '''"""C1: all of it. C2, C3."""

import os  # C22

LIMIT = 1
"""C2, C3: so many."""


# C4: why
class A:
    """C5."""

    x: int = 0  # C6

    # -- sending (C7): how -----
    def f(self) -> None:
        """(C8)."""
        # C9 and C10

        def g() -> None:
            """C11."""
            return  # C12

    class B:
        # C14
        y = 1  # no clause: C99, XC15


def h() -> None:
    return  # C3, C3
'''


def test_citations(tmp_path: Path) -> None:
    """A clause is cited by docstrings and comments, each of what it is in, or stands above."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.py").write_text(SOURCE)
    (tmp_path / "p" / "b.py").write_text('"""Wire: it."""\n\nx = 1  # Wire, Names\n')
    (tmp_path / "p" / "c.py").write_text('"""C1."""\n')
    found = places(tmp_path, "p", ["p/c.py"])
    cited = {clause: [place[1:] for place in listed] for clause, listed in found.items() if listed}
    assert cited == {
        "C1": [("", "")],  # the file's docstring
        "C2": [("LIMIT", "")],  # and not the file, as a part of it is named
        "C3": [("LIMIT", ""), ("h", "")],
        "C4": [("A", "")],
        "C5": [("A", "")],
        "C6": [("A.x", "")],
        "C7": [("A", "sending")],
        "C8": [("A.f", "")],
        "C9": [("A.f", "")],
        "C10": [("A.f", "")],
        "C12": [("A.f", "")],
        "C14": [("A.B", "")],
        "C22": [("", "")],
        "Wire": [("", "")],
    }
    assert found["C1"] == [Place("p/a.py")]
    assert found["Wire"] == [Place("p/b.py")]


def test_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each part is written between its marks; a page with another, or without a mark, is stale."""
    page = tmp_path / "contract.md"
    monkeypatch.setattr(conformance_report, "PAGE", page)
    monkeypatch.setattr(conformance_report, "check_tests", lambda _: None)  # it collects the suite
    page.write_text(f"before\n{PAGE}\nafter\n")
    assert conformance_report.main(["--check"]) == 1
    assert "run `python -m tests.conformance_report`" in capsys.readouterr().err
    assert page.read_text() == f"before\n{PAGE}\nafter\n"
    assert conformance_report.main([]) == 0
    written = page.read_text()
    assert written.startswith("before\n<!-- contract summary -->\n")
    assert written.endswith("\n<!-- contract end -->\nafter\n")
    assert "old" not in written.splitlines()
    assert conformance_report.main(["--check"]) == 0
    for wrong in (PAGE.replace("errors", "others"), PAGE + PAGE, ""):
        with pytest.raises(Stale, match="not one place"):
            filled(wrong, known({"clauses": {}}))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, ""),
        ({"backends": ["raw_pika"]}, "the record is one of raw_pika"),
        ({"clauses": {}}, "other tests than those recorded for C1"),
    ],
    ids=["same", "implementations", "tests"],
)
def test_record_of_other_tests(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, object], says: str
) -> None:
    """A record is stale when it is not one of today's tests, on all implementations."""
    monkeypatch.setattr(conformance_report, "CLAUSES", {"C1": CLAUSES["C1"]})
    today = {"backends": list(IMPLEMENTATIONS), "clauses": {"C1": {"tests": "x"}}}
    monkeypatch.setattr(conformance_report, "collect", lambda: today)
    if not says:
        check_tests(today | change)
        return
    with pytest.raises(Stale, match=says):
        check_tests(today | change)
