"""Names, C17: other systems than Linux, as far as they can be tried here: without the names that Windows lacks."""

import os
import subprocess
import sys
from pathlib import Path

from conftest import Serve
from contract import RpcClient
from harness.program import PROJECT_ROOT
from tests.running import run

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
    """With $AMQP_URL the suite can be collected there, and a test of it passes."""
    environment = os.environ | {"PYTHONPATH": WITHOUT_UNIX, "AMQP_URL": url}
    environment.pop("PYTEST_XDIST_WORKER", None)
    for arguments, expected in (
        (["--collect-only", "-q"], "tests collected"),
        (["--backend", "raw_pika", "-k", "test_results_are_exact"], "1 passed"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
            cwd=PROJECT_ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert expected in done.stdout, done.stdout + done.stderr
