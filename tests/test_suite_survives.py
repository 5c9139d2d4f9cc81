"""The suite outlives what it tests: it is run on implementations that hang, die, and leave things behind."""

import re
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from contract.clauses import CLAUSES
from harness.program import PROJECT_ROOT
from tests.broken.hang_leaves_processes import LEFT
from tests.running import run_pytest

EXACT = "tests/test_calls.py::test_results_are_exact[{}]"
PAST = "tests/test_calls.py::test_deadline_in_the_past[{}-0]"
THREADS = "tests/test_calls.py::test_threads_share_a_client[{}]"
GOOD = "tests/test_wire.py::test_request[{}]"  # none of them fails it, but the one that hangs in close()
CLIENT = "tests/test_programs.py::test_client_program[{}]"
ARGUMENTS = [
    f"tests/test_errors.py::test_{n}[{{}}]"
    for n in ("invalid_arguments", "large_argument", "deep_argument")
]
IMPOSSIBLE = "tests/test_calls.py::test_impossible_timeout[{}-{}]"

Case = tuple[str, str, str, str]
"""Which implementation, a test on it, the clause that it is seen to break, and what is seen."""

HANGING: list[Case] = [
    ("in_call", PAST, "C4", "Overrun: the test has not ended after 3 s"),
    ("in_close", PAST, "C8", "Overrun: the tear-down has not ended after 0.75 s"),
    ("before_ready", EXACT, "C1", "Overrun: the test has not ended after 3 s"),
    ("in_threads", THREADS, "C3", "Overrun: the test has not ended after 3 s"),
]
KILLING: list[Case] = [
    ("kills", PAST, "", "worker 'gw[0-9]+' crashed"),
    ("deaf", PAST, "", "worker 'gw[0-9]+' crashed"),
]
LEFT_THREADS = "threads were left behind, and are not waited for: ThreadPoolExecutor"


def backend(name: str) -> str:
    """Return the package of one of the implementations that would keep a run from ending."""
    return f"tests.broken.hang_{name}"


def run_suite(
    names: set[str], *arguments: str, url: str | None = None, timeout: float = 90.0
) -> tuple[int, str]:
    """Run the suite on these implementations; it has to end."""
    chosen = [word for name in sorted(names) for word in ("--backend", backend(name))]
    env = {"AMQP_URL": url} if url else {}
    return run_pytest("--tb=short", *chosen, *arguments, cwd=PROJECT_ROOT, timeout=timeout, **env)


def assert_told(output: str, case: Case) -> None:
    """Fail unless the run says in one line what was seen, and in another what was promised."""
    name, test, clause, seen = case
    summary = re.escape(f" {test.format(backend(name))} - {clause}{': ' if clause else ''}") + seen
    assert re.search(f"^(FAILED|ERROR){summary}", output, re.MULTILINE), name
    if clause:
        assert f"promised: {clause}: {CLAUSES[clause].text}\n" in output
        assert re.search(f"^seen:     {seen}", output, re.MULTILINE), name


@pytest.mark.suite
@pytest.mark.parametrize(
    ("workers", "cases", "limit"),
    [(0, HANGING[1:4], 3), (1, HANGING, 3), (1, KILLING, 2)],
    ids=["alone", "worker", "killed"],
)
def test_run_ends(url: str, workers: int, cases: list[Case], limit: int) -> None:
    """What hangs, dies or leaves threads costs its own test; the run goes on, says why, and ends in time."""
    good = GOOD.format(backend(cases[-1][0]))
    chosen = [good, *(test.format(backend(name)) for name, test, _, _ in cases)]
    names = {name for name, *_ in cases}
    options = (f"--timeout={limit}", f"-n{workers}")
    code, output = run_suite(names, *options, *chosen, url=url)
    assert code == pytest.ExitCode.TESTS_FAILED
    for case in cases:
        assert_told(output, case)
    failed = len(cases) - ("in_close" in names)  # which fails in its tear-down
    assert re.search(rf"^=+ {failed} failed, [12] passed", output, re.MULTILINE)
    assert (LEFT_THREADS in output) == ("in_threads" in names)


def test_told_once(url: str) -> None:
    """A test that hangs, and whose end hangs as well, is one failure; after three the limits are lower."""
    name = "throughout"
    chosen = [IMPOSSIBLE.format(backend(name), value) for value in ("nan", "inf", "1", "True")]
    code, output = run_suite({name}, "--timeout=2", *chosen, url=url)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "\n       3 x Overrun: the test has not ended after 2 s\n" in output
    assert " has not ended after 0.5 s (instead of 2 s, as others have hung)\n" in output
    assert "teardown, after this failure" in output
    assert re.search(r"^=+ 4 failed(, \d+ warnings?)? in", output, re.MULTILINE)


def test_limits_that_do_not_shrink(url: str) -> None:
    """With --no-shrinking-limits a test has all its time, however many have hung before it."""
    name = "throughout"
    chosen = [IMPOSSIBLE.format(backend(name), value) for value in ("nan", "inf", "1", "True")]
    code, output = run_suite({name}, "--timeout=1", "--no-shrinking-limits", *chosen, url=url)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "\n       4 x Overrun: the test has not ended after 1 s\n" in output


@pytest.mark.suite
def test_server_that_never_gets_ready(url: str) -> None:
    """After three servers that did not get ready, and none that did, no other is started."""
    name, seen = "dies_at_start", "Unusable: no ready line from the server: ended without"
    chosen = [test.format(backend(name)) for test in (EXACT, *ARGUMENTS)]
    code, output = run_suite({name}, *chosen, url=url)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert_told(output, (name, EXACT, "Names", seen))
    assert output.count(f"seen:     {seen}") == 3
    assert "1 x Unusable: no ready line from 3 servers before: not tried again\n" in output


def test_worker_that_dies_when_it_is_sent_tests(pytestconfig: pytest.Config) -> None:
    """It does not end the run: pytest-xdist raises there between a worker's death and the news of it."""

    def send(indices: list[int]) -> None:
        raise OSError("cannot send (already closed?)")

    worker = SimpleNamespace(send_runtest_some=send)
    pytestconfig.hook.pytest_configure_node(node=worker)
    worker.send_runtest_some([1])


@pytest.mark.suite
@pytest.mark.parametrize(
    "test", [EXACT, pytest.param(CLIENT, marks=pytest.mark.exhaustive)], ids=["client", "program"]
)
def test_processes_left_behind(url: str, test: str) -> None:
    """Processes that client and server leave end with the test that started them, or with the run."""
    name = "leaves_processes"
    code, output = run_suite({name}, "-n1", test.format(backend(name)), url=url)
    if test == EXACT:  # which does not look for them
        assert code == pytest.ExitCode.OK
        assert "a process was left behind and is killed:" in output
    else:
        assert code == pytest.ExitCode.TESTS_FAILED
        seen = "AssertionError: .* let go of its output, within"
        assert_told(output, (name, test, "Names", seen))
    left = [
        each for each in psutil.process_iter(["cmdline"]) if LEFT in (each.info["cmdline"] or ())
    ]
    assert not left


def test_process_that_ends_by_itself(tmp_path: Path) -> None:
    """A program of Python's own that ends with the run is not said to be left behind."""
    plugin = "from multiprocessing.resource_tracker import ensure_running\nensure_running()\n"
    (tmp_path / "starts_it.py").write_text(plugin)
    chosen = ("-p", "starts_it", "--collect-only", "-q", "tests/test_sentences.py")
    code, output = run_pytest(*chosen, PYTHONPATH=str(tmp_path))
    assert (code, "left behind" in output) == (0, False)


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "name", ["in_call", "in_close", "in_threads", "dies_at_start", "before_ready", "kills", "deaf"]
)
@pytest.mark.usefixtures("private_broker")
def test_whole_suite_ends(name: str) -> None:
    """The whole suite on each of them ends, whatever it finds."""
    code, output = run_suite({name}, "-n4", "tests", timeout=3600)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert f"{backend(name)}: the contract's clauses" in output
