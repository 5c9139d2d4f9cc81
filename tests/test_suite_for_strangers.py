"""The suite as a tool for other packages: where they are found, what is chosen, what is told."""

from pathlib import Path

import pytest

from contract.clauses import CLAUSES
from harness.program import PROJECT_ROOT
from tests.running import run_pytest

PROGRAM = (
    'if __name__ == "__main__":\n'
    '    import runpy\n    runpy.run_module("raw_pika.rpc_{}", run_name="__main__")\n'
)
IMPORT = "from raw_pika.rpc_client import FibonacciRpcClient as FibonacciRpcClient\n"
CLIENT = IMPORT + PROGRAM.format("client")
SERVER = PROGRAM.format("server")
WARNS = (
    IMPORT + "import socket, warnings\ndef leak():\n    socket.socket()\nclass "
    "FibonacciRpcClient(FibonacciRpcClient):\n    def submit(self, *args, **options):\n        leak()\n"
    '        warnings.warn("old", DeprecationWarning)\n        return super().submit(*args, **options)\n'
)
NO_CLIENT = "class FibonacciRpcClient:\n    def __init__(self, url): ...\n"
CALLS = "tests/test_calls.py::test_{}[{}]"


def package(folder: Path, name: str, client: str = CLIENT, begin: str = "") -> str:
    """Write a package that is raw_pika but for what is given, and return its name."""
    place = folder / name
    place.mkdir(parents=True)
    (place / "__init__.py").write_text(begin)
    (place / "rpc_client.py").write_text(client)
    (place / "rpc_server.py").write_text(SERVER)
    return name


@pytest.mark.suite
@pytest.mark.parametrize("found_by", ["folder", "PYTHONPATH"])
def test_package_is_found(tmp_path: Path, url: str, found_by: str) -> None:
    """A package is found in the caller's folder and by PYTHONPATH, in servers and programs too."""
    name = package(tmp_path, "of_a_stranger")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "__init__.py").touch()  # as a stranger has, too
    cwd, path = (tmp_path, "") if found_by == "folder" else (PROJECT_ROOT, str(tmp_path))
    wanted = "results_are_exact or environment_of_another or server_refused"
    suite = str(PROJECT_ROOT / "tests")
    chosen = ("-k", wanted, "--backend", name, suite)
    code, output = run_pytest(*chosen, cwd=cwd, AMQP_URL=url, PYTHONPATH=path)
    assert code == 0
    assert " 3 passed" in output


def test_package_in_the_folder_of_the_suite(url: str) -> None:
    """All options are known, and with `-n` there is a table, though pytest takes the package for what to test."""
    chosen = ("--clause", "C1", "-k", "computed or results_are_exact", "-n", "1", "-q")
    code, output = run_pytest("--backend", "raw_pika", *chosen, AMQP_URL=url)
    assert code == 0
    assert "raw_pika: the contract's clauses" in output
    assert "C1    exact results                                     1        -" in output


@pytest.mark.suite
def test_clause() -> None:
    """`--clause` chooses the tests that name one of these clauses, alone or among others."""
    code, output = run_pytest(
        "tests",
        "--backend",
        "raw_pika",
        "--clause",
        "C4",
        "--clause",
        "C22",
        "--collect-only",
        "-q",
    )
    assert code == 0
    for name in "test_calls.py::test_timeout", "test_calls.py::test_counters", "stuck_write":
        assert f"{name}" in output
    assert "test_results_are_exact" not in output


def test_unknown_clause() -> None:
    """A clause that there is not is a usage error that names those there are."""
    code, output = run_pytest("--clause", "C99", "--collect-only", "-q")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: --clause: no clause 'C99' (clauses: {', '.join(CLAUSES)})" in output


def test_package_that_cannot_be_imported(tmp_path: Path) -> None:
    """The usage error says why."""
    name = package(tmp_path, "incomplete", begin="import not_installed_here\n")
    code, output = run_pytest("--backend", name, "--collect-only", PYTHONPATH=str(tmp_path))
    assert code == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: --backend: no module '{name}.rpc_client' can be imported: " in output
    assert "No module named 'not_installed_here'" in output


@pytest.mark.suite
def test_summary(url: str) -> None:
    """A run ends with a line for each clause, and one for each reason why tests were skipped."""
    tests = (
        "calls.py::test_timeout",
        "errors.py::test_call_during_an_outage",
        "wire.py::test_request",
    )
    chosen = [f"tests/test_{test}[celery_impl]" for test in tests]
    code, output = run_pytest("--backend", "celery_impl", *chosen, AMQP_URL=url)
    assert code == 0
    rows = {line.split()[0]: line.split()[-5:] for line in output.splitlines() if line}
    assert rows["passed"] == ["passed", "failed", "expected", "skipped", "not", "run"][-5:]
    assert rows["C4"] == ["1", "-", "-", "-", "-"]
    assert rows["C12"] == ["-", "-", "-", "1", "-"]
    assert rows["Wire"] == ["-", "-", "1", "-", "-"]
    assert "\n1 skipped: stops the broker or changes its settings: needs " in output


def test_client_that_cannot_be_built(tmp_path: Path, url: str) -> None:
    """What is promised, what was tested and what was seen stand together; the fixtures are left out."""
    name = package(tmp_path, "no_client", NO_CLIENT)
    test = CALLS.format("cancel_is_too_late_after_the_answer", name)
    code, output = run_pytest("--backend", name, test, AMQP_URL=url, PYTHONPATH=str(tmp_path))
    assert code == pytest.ExitCode.TESTS_FAILED
    assert f"promised: Names: {CLAUSES['Names'].text}\n" in output
    assert "\ntested:   C7: an answered call cannot be cancelled, and keeps its answer.\n" in output
    assert "\nseen:     Unusable: no client FibonacciRpcClient(url, {'queue': " in output
    assert f" {test} - Names: Unusable: no client FibonacciRpcClient(" in output


@pytest.mark.suite
def test_warnings_of_a_stranger(tmp_path: Path, url: str) -> None:
    """What a library warns of, or leaves to the garbage collector, breaks no clause and fails no test."""
    name = package(tmp_path, "warns", WARNS)
    test = CALLS.format("standard_futures", name)
    code, output = run_pytest("--backend", name, test, AMQP_URL=url, PYTHONPATH=str(tmp_path))
    assert code == 0
    assert "DeprecationWarning: old" in output
