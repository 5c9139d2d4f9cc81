"""The map from promises to tests is complete, and the check says so when it is not."""

from typing import Any

import pytest

from tests.sentences import Known, compare, help_of, known_tests, limits, main, sentences, split

PROMISED = {"C4": ["A call ends.", "The client goes on."]}
KNOWN = {
    "calls::test_end": Known(frozenset({"C4", "C5"}), on_all=True),
    "pending::test_end": Known(frozenset({"C4"}), on_all=False),
    "calls::test_other": Known(frozenset({"C5"}), on_all=True),
}
COMPLETE = {
    "C4": {
        "A call ends.": ["calls::test_end", "pending::test_end"],
        "The client goes on.": "why not",
    }
}


def test_map_is_complete() -> None:
    """Every sentence has its tests."""
    assert main() == 0


def test_what_is_read() -> None:
    """Sentences are found in all five places, and tests in their files."""
    found = sentences()
    assert "The client goes on working." in found["C4"]
    assert "call: There is no infinite wait." in found["contract/client.py"]
    assert "stats.sent: requests handed to the broker" in found["contract/client.py"]
    assert "exit code 1 the server answered with an error" in help_of("rpc_client")
    assert any(each.startswith("--prefetch N: How many requests") for each in help_of("rpc_server"))
    assert "One may `submit`; one that waits delays every reply." in found["Limits"]
    assert known_tests()["calls::test_timeout"] == Known(frozenset({"C4"}), on_all=True)
    assert known_tests()["contract::test_fib"] == Known(frozenset({"C1"}), on_all=False)


@pytest.mark.parametrize(
    ("name", "on_all"),
    [
        ("calls::test_timeout", True),
        ("promises_of_servers::test_further_arguments", True),  # by a fixture that asks for another
        ("wire::test_request", True),  # where it is needed and lacking, it has to fail
        ("wire::test_published_client", False),  # only with the shared wire
        ("celery::test_heartbeats_go_on_while_stopping", False),  # with a `serve` of its own
        ("contract::test_fib", False),
    ],
)
def test_what_runs_on_every_implementation(name: str, on_all: bool) -> None:
    """A test runs on all by conftest.py's fixtures; not by its file's own, nor if it is left out for some."""
    assert known_tests()[name].on_all is on_all


def test_sentences() -> None:
    """A sentence ends at a full stop before a capital letter, a name, or something bold."""
    assert split("One (e.g. this).\n  `Two` is 0.5. **Three.** So.") == [
        "One (e.g. this).",
        "`Two` is 0.5.",
        "**Three.** So.",
    ]
    assert limits("x\n## Limits\n\n- A. B.\n- C\n  d.\n\n## Next\n- E.") == ["A.", "B.", "C d."]


@pytest.mark.parametrize(
    ("mapped", "says"),
    [
        (COMPLETE, []),
        ({}, ["C4: no test: A call ends.", "C4: no test: The client goes on."]),
        ({**COMPLETE, "C99": {}}, ["nothing is promised in 'C99'"]),
        (
            {"C4": {**COMPLETE["C4"], "Reworded.": ["calls::test_end"]}},
            ["C4: nothing says any more: Reworded."],
        ),
        ({"C4": {**COMPLETE["C4"], "A call ends.": []}}, ["C4: no test: A call ends."]),
        ({"C4": {**COMPLETE["C4"], "A call ends.": ""}}, ["C4: no test: A call ends."]),
        (
            {"C4": {**COMPLETE["C4"], "A call ends.": ["calls::test_end", "calls::test_gone"]}},
            ["C4: no test calls::test_gone: A call ends."],
        ),
        (
            {"C4": {**COMPLETE["C4"], "A call ends.": ["calls::test_other"]}},
            ["C4: calls::test_other does not cite the clause: A call ends."],
        ),
        (
            {"C4": {**COMPLETE["C4"], "A call ends.": ["pending::test_end"]}},
            ["C4: no test that runs on every implementation: A call ends."],
        ),
    ],
    ids=range(9),
)
def test_what_is_wrong(mapped: Any, says: list[str]) -> None:
    """What is missing, reworded, gone or about something else is named."""
    assert list(compare(PROMISED, mapped, KNOWN)) == says
