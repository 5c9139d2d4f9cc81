"""The README's first table and its sentence on the contract say what was recorded, also when that is bad."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import front_page
from contract.clauses import CLAUSES
from harness.implementations import IMPLEMENTATIONS

PASSED = {"passed": 3, "failed": [], "expected": {}, "not_run": 0}
Edit = Callable[[str, str, dict[str, Any]], None]


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """A record in which everything is kept; what it returns changes one outcome."""
    path = tmp_path / "conformance.json"
    clauses = {
        clause: {"outcomes": {backend: dict(PASSED) for backend in IMPLEMENTATIONS}}
        for clause in CLAUSES
    }

    def edit(clause: str, backend: str, change: dict[str, Any]) -> None:
        clauses[clause]["outcomes"][backend].update(change)
        path.write_text(json.dumps({"clauses": clauses}))

    edit("C1", "raw_pika", {})
    monkeypatch.setattr(front_page, "RECORD", path)
    return edit


def test_sentence_on_the_contract(record: Edit) -> None:
    """All is kept; then a gap is declared; then a clause is broken, and it is no longer said that all is kept."""
    assert front_page.contract().endswith("all kept by all three.")
    record("Wire", "celery_impl", {"passed": 0, "expected": {"another protocol": 8}})
    gap = f"one declared gap: `celery_impl` does not have {CLAUSES['Wire'].title}."
    assert front_page.contract().endswith(f"all kept by all three; {gap}")
    record("C5", "kombu_impl", {"failed": ["tests/test_calls.py::test_timeout"]})
    assert front_page.contract().endswith(f"not kept: C5 (kombu_impl); {gap}")


@pytest.mark.parametrize(
    "change",
    [{"failed": ["a test"]}, {"not_run": 1}, {"expected": {"a reason": 1}}, {"passed": 0}],
    ids=["failed", "not run", "expected to fail", "no test"],
)
def test_what_counts_as_kept(record: Edit, change: dict[str, Any]) -> None:
    """A clause of which one test did not pass is not counted."""
    every = len(CLAUSES) - 1  # the wire format is said apart
    assert front_page.kept("raw_pika") == "all; works with RabbitMQ's tutorial"
    record("C9", "raw_pika", change)
    assert front_page.kept("raw_pika") == f"{every - 1}; works with RabbitMQ's tutorial"
    record("Wire", "raw_pika", change)
    assert front_page.kept("raw_pika") == str(every - 1)


def test_what_was_put_through_the_suite_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What people write first is counted from the ladder's data; what is not there was not measured."""
    path = tmp_path / "ladder.json"
    outcomes = {"C1": "kept", "C2": "not kept", "C3": "not kept", "C4": "kept", "Wire": "kept"}
    clauses = {clause: {"outcome": outcome} for clause, outcome in outcomes.items()}
    path.write_text(json.dumps({"ladder.step0": {"clauses": clauses}}))
    monkeypatch.setattr(front_page, "LADDER", path)
    assert front_page.kept("ladder.step0") == "2"
    assert front_page.kept("ladder.first.celery") == "not measured"
