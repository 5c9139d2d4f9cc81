"""What a run records, and the table that is made of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import conformance_report
from tests.conformance import digest
from tests.conformance_report import BEGIN, END, Stale, check_readme, table, with_table

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


def test_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table stands between its markers, and a README with another is stale."""
    readme = tmp_path / "README.md"
    monkeypatch.setattr(conformance_report, "README", readme)
    outcome = {"passed": 3, "failed": ["one"], "expected": {"it cannot": 2}, "not_run": 0}
    record = {"clauses": {"C2": {"outcomes": {"celery_impl": outcome}}}}
    row = "| C2: correlation | no test | no test | 3 passed, 2 expected to fail (1), **1 failed** |"
    assert row in table(record)
    assert "\n1. it cannot\n" in table(record)
    with pytest.raises(Stale):
        check_readme(record)
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    with pytest.raises(Stale):
        check_readme(record)
    text = with_table(readme, table(record))
    assert text == f"before\n{BEGIN}\n{table(record)}{END}\nafter\n"
    readme.write_text(text)
    check_readme(record)
