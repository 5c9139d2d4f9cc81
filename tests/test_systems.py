"""Names, C17: other systems than Linux, as far as they can be tried here: without the names that Windows lacks."""

import os
from pathlib import Path

from conftest import Serve
from contract import RpcClient
from harness.program import PROJECT_ROOT
from tests.running import run, run_pytest

WITHOUT_UNIX = os.pathsep.join(
    filter(
        None,
        [
            str(PROJECT_ROOT / "tests" / "without_unix"),
            str(PROJECT_ROOT),
            os.environ.get("PYTHONPATH"),
        ],
    )
)


def test_client_without_unix(backend: str, serve: Serve, url: str, queue: str) -> None:
    """Names: the client program runs where `os` and `signal` have only what Windows has."""
    serve()
    done = run(
        f"{backend}.rpc_client", "30", "--url", url, "--queue", queue, PYTHONPATH=WITHOUT_UNIX
    )
    assert (done.stdout, done.stderr) == (" [x] Requesting fib(30)\n [.] Got 832040\n", "")


def test_server_without_unix(serve: Serve, client: RpcClient, tmp_path: Path) -> None:
    """C17: so does the server, and stops at a signal that ends no wait."""
    gate = tmp_path / "gate"
    env = {"PYTHONPATH": WITHOUT_UNIX, "RPC_GATE": str(gate), "RPC_CALL_LOG": str(tmp_path / "log")}
    server = serve(function="signals:stop_later", heartbeat=600, env=env)
    assert client.call(10, timeout=30) == 10
    gate.touch()
    assert server.wait(15) == 0


def test_suite_without_unix(url: str) -> None:
    """With $AMQP_URL the whole suite can be collected there, and a test of it passes."""
    chosen = "test_results_are_exact and raw_pika"
    code, output = run_pytest("-k", chosen, PYTHONPATH=WITHOUT_UNIX, AMQP_URL=url)
    assert (code, "1 passed" in output) == (0, True)
