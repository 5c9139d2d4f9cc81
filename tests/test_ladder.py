"""The steps from the tutorial to the contract: each runs, each is small, and what is said of them was measured."""

import difflib
import json
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

from benchmarks.lines import lines_of_code
from contract import RpcTimeout
from contract.clauses import CLAUSES
from harness.implementations import check_implementation
from harness.program import PROJECT_ROOT
from harness.server import ServerProcess
from ladder import adapter, measure, report
from ladder.notes import CHOICES, OWN, SEEN
from ladder.programs import BARE, END, FIRST, PROGRAMS, STEPS, Program
from tests.running import run

NONE = dict.fromkeys(("passed", "failed", "hangs", "not run", "skipped"), 0)
PEERS = ("ladder.first.aio_pika", "ladder.first.faststream")  # in the optional group `peers`
OURS = [program.package for program in PROGRAMS if program.package not in PEERS]
MOST_LINES = 200  # of code, client and server together
MOST_CHANGED = 60  # lines of `diff`, from one step to the next


def text(package: str) -> dict[str, list[str]]:
    """Return the lines of each of a step's files."""
    folder = PROJECT_ROOT / package.replace(".", "/")
    return {path.name: path.read_text().splitlines() for path in sorted(folder.glob("*.py"))}


@pytest.mark.parametrize("package", OURS)
def test_program_answers(
    package: str, url: str, queue: str, request: pytest.FixtureRequest
) -> None:
    """C1: each step, and each adapted program, is a server and a client that work."""
    check_implementation(package)
    if package == STEPS[0].package:
        request.getfixturevalue("transient_queues")
    with ServerProcess(package, url=url, queue=queue):
        done = run(f"{package}.rpc_client", "--url", url, "--queue", queue, "30")
    assert done.stdout == " [x] Requesting fib(30)\n [.] Got 832040\n"
    assert done.returncode == 0


@pytest.mark.parametrize("package", [program.package for program in STEPS])
def test_step_is_small(package: str) -> None:
    """A step is read in a few minutes."""
    assert 50 <= lines_of_code(package) <= MOST_LINES
    assert text(package).keys() == {"__init__.py", "rpc_client.py", "rpc_server.py"}


@pytest.mark.parametrize("at", range(1, len(STEPS)))
def test_step_adds_one_idea(at: int) -> None:
    """From one step to the next few lines change, so that the diff can be read."""
    before, after = (text(program.package) for program in STEPS[at - 1 : at + 1])
    changed = [
        line
        for name in before
        for line in difflib.unified_diff(before[name], after[name], lineterm="", n=0)
        if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert 0 < len(changed) < MOST_CHANGED


def test_adapter_keeps_nothing(url: str) -> None:
    """The adapter translates: a client that only has it cannot call."""
    with adapter.BlockingClient(url) as client, pytest.raises(NotImplementedError):
        client.call(1)


def test_counted_from_outside(url: str) -> None:
    """Of a client without counters the calls are counted, and how they end; not what only it can know."""
    begun, go_on = threading.Event(), threading.Event()

    class Asking(adapter.BlockingClient):
        def call(self, n: int, *, timeout: float | None = None) -> int:
            begun.set()
            assert go_on.wait(10)
            if n < 0:
                raise RpcTimeout if n == -1 else ValueError
            return n

    with Asking(url) as client:
        call = client.submit(1)
        assert begun.wait(10)
        assert (client.stats.sent, client.stats.in_flight, client.stats.succeeded) == (1, 1, 0)
        go_on.set()
        assert call.result(10) == 1
        for n, error in ((-1, RpcTimeout), (-2, ValueError)):
            with pytest.raises(error):
                client.call(n)
        assert vars(client.stats) == {
            "sent": 3,
            "succeeded": 1,
            "timed_out": 1,
            "failed": 1,
            "in_flight": 0,
            "reconnects": 0,
        }


def test_futures_counted_from_outside(url: str) -> None:
    """The same where `submit` is the client's own: a call ends with its future, which may be cancelled."""

    class Submitting(adapter.Outside):
        connects_again = True

        def submit(self, n: int) -> "Future[int]":
            return Future()

    with Submitting(url) as client:
        first, second = client.submit(1), client.submit(2)
        first.set_result(1)
        assert client.stats.in_flight == 1
        second.cancel()
        assert (client.stats.sent, client.stats.succeeded, client.stats.in_flight) == (2, 1, 0)
        for name in ("late", "unknown", "malformed", "reconnects"):
            assert not hasattr(client.stats, name)


# -- what is measured ------------------------------------------------------------------------------

SUITE = """
import pytest

@pytest.mark.parametrize("backend", ["some"])
@pytest.mark.parametrize("n", range(3))
def test_hangs(backend, n):
    "C4: hangs"
    pytest.fail("Timeout (>1.0s) from pytest-timeout")

@pytest.mark.parametrize("backend", ["some"])
def test_fails(backend):
    "C1, C2: fails"
    assert backend == "other"

@pytest.mark.parametrize("backend", ["some"])
def test_passes(backend):
    "C2: passes"

def test_of_no_backend():
    "C3: is not about an implementation"
"""


def test_outcomes(tmp_path: Path) -> None:
    """Each outcome is noted, of every test: nothing is left out after one that hangs."""
    (tmp_path / "test_suite.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    found = tmp_path / "found.json"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", "pytest.ini"]
    subprocess.run(
        [*command, "-p", "ladder.outcomes", f"--outcomes={found}"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(PROJECT_ROOT)},
        check=False,
        stdout=subprocess.PIPE,
    )
    noted = json.loads(found.read_text())
    tests = measure.by_clause(noted["clauses"])
    assert set(tests) == {"C1", "C2", "C4"}
    summaries = {
        clause: measure.summary(names, noted["outcomes"]) for clause, names in tests.items()
    }
    counts = ("outcome", "passed", "failed", "hangs", "not run")
    assert {clause: [each[kind] for kind in counts] for clause, each in summaries.items()} == {
        "C1": ["not kept", 0, 1, 0, 0],
        "C2": ["not kept", 1, 1, 0, 0],
        "C4": ["not kept", 0, 0, 3, 0],
    }
    assert "assert" in next(iter(summaries["C1"]["seen"].values()))


def test_what_did_not_run_is_not_kept() -> None:
    """A clause is kept if all of its tests passed: one that was left out has shown nothing."""
    assert measure.summary(["a", "b"], {})["outcome"] == "unsettled"
    one_ran = measure.summary(["a", "b"], {"a": ("passed", "")})
    assert (one_ran["outcome"], one_ran["not run"]) == ("unsettled", 1)
    one_cannot_run_here = {"a": ("passed", ""), "b": ("skipped", "")}
    assert measure.summary(["a", "b"], one_cannot_run_here)["outcome"] == "kept"


def test_stale_clauses() -> None:
    """A test that was added, removed or renamed makes its clause stale, whatever the program's name."""
    tests = {"a[ladder.step1]": ["C1"], "b[ladder.step1]": ["C1", "C2"]}
    step, other = STEPS[1], STEPS[2]
    saved = {
        "clauses": {
            clause: {"tests": measure.names_of(step.package, names)}
            for clause, names in measure.by_clause(tests).items()
        }
    }
    renamed = {name.replace("step1", "step2"): clauses for name, clauses in tests.items()}
    assert measure.stale_clauses(step, saved, tests) == []
    assert measure.stale_clauses(other, saved, renamed) == []
    assert measure.stale_clauses(step, saved, {**tests, "c[ladder.step1]": ["C2", "C3"]}) == [
        "C2",
        "C3",
    ]


def test_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program's digest is another when a line of it, or of what it is made of, is."""
    monkeypatch.setattr(measure, "PROJECT_ROOT", tmp_path)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "x.py").write_text("1")
    (tmp_path / "two.py").write_text("2")
    program = Program("one", "", ("two",))
    digests = {measure.sources(program)}
    for path in ("one/x.py", "two.py"):
        (tmp_path / path).write_text("other")
        digests.add(measure.sources(program))
    assert len(digests) == 3
    (tmp_path / "two.py").unlink()
    assert measure.sources(program) == ""


def test_gain() -> None:
    """A step's line names the clauses that turn green, and those that no longer are."""

    def saved(**outcomes: str) -> dict[str, object]:
        counts = {**NONE, "failed": 1}
        return {
            "clauses": {
                name: {**counts, "outcome": outcome, "passed": outcome == "kept"}
                for name, outcome in outcomes.items()
            }
        }

    data = {
        STEPS[0].package: saved(C1="kept", C4="not kept"),
        STEPS[1].package: saved(C1="not kept", C4="kept"),
    }
    said = report.gain(data, STEPS[1])
    assert said.startswith(f"Keeps 1 of {len(CLAUSES)} clauses, and passes 33 % of all tests.")
    assert "New: C4 (timeout at the deadline)" in said
    assert "No longer: C1 (exact results)" in said


def test_cell() -> None:
    """A cell says how many of a clause's tests passed, and how many hung."""

    def shown(outcome: str, **counts: int) -> str:
        clauses = {"C1": {"outcome": outcome, **NONE, **counts}}
        return report.cell({STEPS[0].package: {"clauses": clauses}}, STEPS[0], "C1")

    assert shown("kept", passed=3) == "kept"
    assert shown("not kept", passed=12, failed=5, hangs=3) == "12 of 20, 3 hang"
    assert shown("unsettled", passed=1, **{"not run": 1}, skipped=4) == "1 of 2"
    assert report.cell({}, STEPS[0], "C1") == "-"


def test_total() -> None:
    """Of all tests those that passed, in percent; those that cannot run here are left out."""
    clauses = {"C1": {**NONE, "passed": 2, "failed": 1}, "C2": {**NONE, "hangs": 1, "skipped": 9}}
    assert report.total({STEPS[0].package: {"clauses": clauses}}, STEPS[0]) == "50 %"
    assert report.total({}, STEPS[0]) == "-"


def test_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """`make ladder`: a column for each step, a line for each clause, and the steps in words."""
    assert report.main(["--print"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == [report.short(program) for program in (*STEPS, END)]
    assert [line.split()[0] for line in lines[: len(CLAUSES)]] == list(CLAUSES)
    assert any(line.startswith("- step0, the tutorial: Keeps") for line in lines)


def test_filled() -> None:
    """A table stands between its markers; another name is an error."""
    page = "before\n<!-- ladder gains -->\nold\n<!-- ladder end -->\nafter\n"
    assert report.filled(page, {}) == page.replace("old\n", "")
    with pytest.raises(ValueError, match="no such table"):
        report.filled(page.replace("gains", "nothing"), {})


def test_as_it_comes() -> None:
    """How kombu and Celery come is said from what was measured, and that it was not where it was not."""

    def saved(**passed: int) -> dict[str, object]:  # of five tests for each clause
        clauses = {
            name: {
                **NONE,
                "outcome": "kept" if of_five == 5 else "not kept",
                "passed": of_five,
                "failed": 5 - of_five,
            }
            for name, of_five in passed.items()
        }
        return {"clauses": clauses}

    assert report.part("kombu", {}) == (
        "- kombu's example: Not measured.\n- kombu, bare: Not measured.\n"
    )
    data = {
        "ladder.first.kombu": saved(C1=1),
        "ladder.first.bare_kombu": saved(C1=5, C4=5, C5=0),
        "ladder.first.celery": saved(C1=5, C4=0, C5=1, C6=4, C7=2, C8=0),
    }
    example, bare = report.part("kombu", data).splitlines()
    assert example == "- kombu's example: passes 20 % of all tests, and keeps none."
    assert "passes 66 % of all tests" in bare
    assert bare.endswith("keeps C1 (exact results), C4 (timeout at the deadline).")
    assert report.part("celery", data) == "Not measured.\n"
    data["ladder.first.celery_settings"] = saved(C1=4, C4=5, C5=3, C6=1, C7=3, C8=0)
    assert report.part("celery", data) == (
        "Of all tests 40 % pass (Celery's first steps) or 53 % (Celery, settings only). "
        "Kept with the settings, and not without: C4 (timeout at the deadline). "
        "Kept only without: C1 (exact results). "
        "With them more tests pass of C5 (1 to 3 of 5). With them fewer tests pass of C6 (4 to 1 of 5).\n"
    )


def test_each_page_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--check` names a page that does not say what is saved, and fails; without it each is rewritten."""
    monkeypatch.setattr(report, "newly_tested", lambda _data: [])
    monkeypatch.setattr(report, "check_sources", lambda _data: None)
    marked = {page.name: report.MARKED.findall(page.read_text()) for page in report.PAGES}
    assert [name for _, name, _ in marked["kombu-as-it-comes.md"]] == ["kombu"]
    assert [name for _, name, _ in marked["celery-as-it-comes.md"]] == ["celery"]
    assert {name for _, name, _ in marked["ladder.md"]} >= {"steps", "gains", "first", "seen"}
    pages = [tmp_path / page.name for page in report.PAGES]
    monkeypatch.setattr(report, "PAGES", pages)
    for page in pages:
        page.write_text("<!-- ladder celery -->\n<!-- ladder end -->\n")
    assert report.main([]) == report.main(["--check"]) == 0
    for page in pages:
        page.write_text(page.read_text().replace("-->\n", "-->\nold\n", 1))
        assert report.main(["--check"]) == 1
        assert page.name in capsys.readouterr().err
        assert report.main([]) == report.main(["--check"]) == 0


def test_notes() -> None:
    """Each clause has a sentence; sentences of a program's own are about programs and clauses that there are."""
    assert SEEN.keys() == CLAUSES.keys()
    packages = {program.package for program in (*STEPS, END, *FIRST, *BARE)}
    for notes in (OWN, CHOICES):
        assert notes.keys() <= packages
        assert all(own.keys() <= CLAUSES.keys() for own in notes.values())
