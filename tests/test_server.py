"""C14 to C19: what a server does with requests, with a long job, when told to stop, beside another; C21, C23."""

import signal
import sys
import threading
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import pytest

from conftest import Connect, OpenBroker, Serve
from contract import RpcClient, fib
from harness.broker import PrivateBroker
from harness.functions import logged_calls
from harness.program import Program
from tests.systems import needs_fork, needs_shell
from tests.waiting import idle, stopped, wait_until


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The file in which `harness.functions` notes each call."""
    return tmp_path / "calls"


def logged(log: Path, **options: Any) -> dict[str, Any]:
    """Return the options of a server that notes its calls and takes n milliseconds for each."""
    return {
        "function": "harness.functions:slow_logged",
        "env": {"RPC_CALL_LOG": str(log)},
        **options,
    }


def test_request_is_held_until_it_is_answered(
    serve: Serve, client: RpcClient, queue: str, log: Path, open_broker: OpenBroker
) -> None:
    """C14: a request is acknowledged after its reply: while it is computed, the broker still has it."""
    gate = log.with_name("gate")
    env = {"RPC_CALL_LOG": str(log), "RPC_GATE": str(gate)}
    serve(function="harness.functions:wait_for_file", env=env)
    future = client.submit(30, timeout=50)
    wait_until(lambda: logged_calls(log) == [30], "the server to compute")

    def unacknowledged() -> int:
        return open_broker.unacknowledged(queue)

    assert unacknowledged() == 1
    gate.touch()
    assert future.result() == 30
    wait_until(lambda: unacknowledged() == 0, "the acknowledgement")


def test_fair_dispatch(serve: Serve, client: RpcClient, log: Path) -> None:
    """C15: with the default prefetch one slow request holds back none that an idle server could take."""
    serve(**logged(log))
    serve(**logged(log))
    slow = client.submit(4000)
    wait_until(lambda: logged_calls(log) == [4000], "one server to be busy")
    quick = [client.submit(n) for n in range(12)]
    assert [future.result() for future in quick] == list(range(12))
    assert not slow.done()
    assert slow.result() == 4000


def test_concurrency(serve: Serve, client: RpcClient, log: Path) -> None:
    """C15: a server computes as many requests at once as it is told to, and no more."""
    serve(**logged(log, concurrency=3))
    futures = [client.submit(n) for n in (3000, 3001, 3002, 3003)]
    wait_until(lambda: len(logged_calls(log)) == 3, "three to be computed at once")
    assert not any(future.done() for future in futures)
    assert len(logged_calls(log)) == 3
    assert [future.result() for future in futures] == [3000, 3001, 3002, 3003]


def test_reply_waits_for_no_other_job(serve: Serve, client: RpcClient, log: Path) -> None:
    """C15: what is computed is sent while the next job runs, also if the server has read both at once."""
    quick, slow = (client.submit(n, timeout=30) for n in (1, 4000))
    serve(**logged(log, prefetch=2))
    assert quick.result() == 1
    assert not slow.done()
    assert slow.result() == 4000


def test_long_job(serve: Serve, client: RpcClient, log: Path) -> None:
    """C16: a job of three heartbeat intervals completes, is computed once, and its connection stays up."""
    server = serve(**logged(log, heartbeat=2))
    assert client.call(6500, timeout=13) == 6500
    assert client.call(1) == 1
    assert logged_calls(log) == [6500, 1]
    assert "next attempt in" not in server.output


@pytest.mark.parametrize("signal", ["terminate", "interrupt"])
def test_graceful_stop(serve: Serve, client: RpcClient, log: Path, signal: str) -> None:
    """C17: a server told to stop finishes and answers what it computes, and returns what it prefetched."""
    server = serve(**logged(log, prefetch=3))
    futures = [client.submit(n, timeout=30) for n in (2500, 2501, 2502)]
    wait_until(lambda: logged_calls(log) == [2500], "the server to compute")
    assert getattr(server, signal)(30) == 0
    assert futures[0].result(timeout=5) == 2500
    assert not futures[1].done()
    serve(**logged(log))
    assert [future.result() for future in futures] == [2500, 2501, 2502]
    assert logged_calls(log) == [2500, 2501, 2502]


def test_stop_under_load(serve: Serve, client: RpcClient, log: Path) -> None:
    """C17: no accepted call fails because of a stop, under load and with much prefetched."""
    serve(prefetch=20)
    leaving = serve(prefetch=20)
    gate = threading.Semaphore(50)
    futures = []
    for n in range(3000):
        gate.acquire()
        future = client.submit(n % 100, timeout=60)
        future.add_done_callback(lambda _: gate.release())
        futures.append(future)
        if n == 1000:
            stopping = threading.Thread(target=leaving.terminate, args=(30,))
            stopping.start()
    stopping.join()
    assert leaving.returncode == 0
    assert [future.result() for future in futures] == [fib(n % 100) for n in range(3000)]


def test_stop_while_the_broker_pauses(
    serve: Serve, client: RpcClient, log: Path, private_broker: PrivateBroker
) -> None:
    """C17: a broker that does not answer for some seconds costs no accepted request either."""
    server = serve(**logged(log))
    future = client.submit(4500, timeout=50)
    wait_until(lambda: logged_calls(log) == [4500], "the server to compute")
    with stopped(private_broker.pid):
        server.send_signal(signal.SIGTERM)
        idle(3)
    assert future.result() == 4500
    assert server.wait(20) == 0
    assert logged_calls(log) == [4500]


@needs_fork
def test_function_that_uses_signals(serve: Serve, client: RpcClient) -> None:
    """C17: what the function does with signals, and with processes of its own, does not stop the server."""
    server = serve(function="harness.functions:uses_signals")
    for n in range(3):
        assert client.call(n, timeout=30) == n
    assert server.running
    assert server.terminate(20) == 0


def test_stop_when_idle(serve: Serve) -> None:
    """C17: a server with nothing to do exits 0."""
    assert serve().terminate(10) == 0


def test_stop_without_a_broker(serve: Serve, private_broker: PrivateBroker) -> None:
    """C17: a server whose broker is away exits 0 too."""
    server = serve()
    try:
        private_broker.stop_app()
        server.wait_for_output("next attempt in")
        assert server.terminate(20) == 0
    finally:
        private_broker.start_app()


@pytest.mark.parametrize("concurrency", [1, 2])
def test_reconnect(
    serve: Serve, client: RpcClient, open_broker: OpenBroker, concurrency: int
) -> None:
    """C18: the server survives losing its connection and serves again, with a log line for each attempt."""
    server = serve(concurrency=concurrency)
    assert client.call(10) == 55
    for lost in (1, 2):
        open_broker.close_all_connections("test")
        wait_until(lambda lost=lost: client.stats.reconnects == lost, "the client to be back")  # type: ignore[misc]
        server.wait_for_output("(next attempt in(.|\n)*)" * lost)
        assert client.call(11, timeout=30) == 89
    assert server.running


def test_queue_deleted_under_a_server(
    serve: Serve, client: RpcClient, queue: str, channel: Any
) -> None:
    """C18: a server whose queue was deleted makes it again and goes on."""
    server = serve()
    assert client.call(10) == 55
    channel.queue_delete(queue)
    server.wait_for_output(r"Awaiting RPC requests(.|\n)*Awaiting RPC requests", 20)
    assert client.call(11, timeout=30) == 89


def test_second_server(serve: Serve, client: RpcClient, log: Path) -> None:
    """C19: a second server on the queue takes its share, with no configuration."""
    options = logged(log)
    first, second = serve(**options), serve(**options)
    wait([client.submit(20) for _ in range(60)])
    workers = [line.split()[1] for line in log.read_text().splitlines()]
    assert len(workers) == 60
    assert first.running
    assert second.running
    assert len(set(workers)) == 2
    assert min(workers.count(worker) for worker in set(workers)) >= 12


def test_connection_lost_in_a_job(
    serve: Serve, client: RpcClient, log: Path, open_broker: OpenBroker
) -> None:
    """C18: a connection that the broker closes during a job is made again when that ends, not at a heartbeat."""
    server = serve(**logged(log, heartbeat=600))
    client.submit(2000, timeout=20)
    wait_until(lambda: logged_calls(log) == [2000], "the server to compute")
    open_broker.close_all_connections("test")
    server.wait_for_output("(Awaiting RPC requests(.|\n)*){2}", 20)


@needs_shell
def test_ready_line_that_nobody_reads(
    backend: str, client: RpcClient, url: str, queue: str, open_broker: OpenBroker
) -> None:
    """C18: whoever waited for the ready line may go away; the server serves on, and connects again."""
    server = [sys.executable, "-m", f"{backend}.rpc_server", "--url", url, "--queue", queue]
    shell = ["sh", "-c", '"$@" | head -n 1', "sh", *server]
    with Program(shell, ready="Awaiting RPC requests") as program:
        assert client.call(10) == 55
        for lost in (1, 2):
            open_broker.close_all_connections("test")
            program.wait_for_output("(next attempt in(.|\n)*)" * lost)
            wait_until(lambda lost=lost: client.stats.reconnects == lost, "the client to be back")  # type: ignore[misc]
            assert client.call(11, timeout=20) == 89


def test_idle_past_the_heartbeat(serve: Serve, connect: Connect) -> None:
    """C21: idle past twice the heartbeat, client and server still work, on the same connections."""
    server = serve(heartbeat=2)
    client = connect(heartbeat=2)
    assert client.call(10) == 55
    idle(6)
    assert client.call(11) == 89
    assert client.stats.reconnects == 0
    assert "next attempt in" not in server.output


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_request_queue(
    serve: Serve, connect: Connect, queue: str, channel: Any, queue_type: str
) -> None:
    """C23: the request queue is durable, and of the type that was chosen."""
    serve(queue_type=queue_type)
    assert connect(queue_type=queue_type).call(10, timeout=20) == 55
    # the broker refuses to declare a queue again that is another
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": queue_type})
