"""The harness itself: what it starts works, and nothing of it is left afterwards."""

import gc
import os
import re
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import get_args

import pika
import psutil
import pytest
import trustme
from pika.exceptions import ConnectionClosedByBroker, ProbableAccessDeniedError

from harness import broker as broker_module
from harness import functions, guardian, management
from harness.broker import (
    BrokerNotInstalled,
    ExternalBroker,
    PrivateBroker,
    TlsFiles,
    broker,
    find_program,
    free_port,
)
from harness.guardian import family
from harness.management import ManagedBroker, Unmanageable, suite_broker
from harness.program import PROJECT_ROOT, Program
from harness.proxy import Direction, Proxy
from harness.server import ServerProcess
from tests.waiting import wait_until

FAKE_SERVER = """
import argparse, os, signal, subprocess, sys, time
parser = argparse.ArgumentParser()
for option in ["url", "queue", "function", "concurrency", "prefetch", "heartbeat", "queue-type"]:
    parser.add_argument("--" + option)
options, rest = parser.parse_known_args()
print(vars(options), rest, os.environ.get("OVERLAY"), flush=True)
import harness.functions
if options.queue == "broken":
    sys.exit("no such queue")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
signal.signal(signal.SIGINT, lambda *_: sys.exit(8))
child = subprocess.Popen(["sleep", "1000"])
print("child", child.pid, file=sys.stderr, flush=True)
print(" [x] Awaiting RPC requests", flush=True)
while True:
    time.sleep(1)
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateBroker]:
    """One private broker, with TLS, for all tests of this file; each leaves it running."""
    place = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost")
    leaf.cert_chain_pems[0].write_to_path(place / "cert.pem")
    leaf.private_key_pem.write_to_path(place / "key.pem")
    authority.cert_pem.write_to_path(place / "ca.pem")
    tls = TlsFiles(place / "cert.pem", place / "key.pem", place / "ca.pem")
    with PrivateBroker(tls=tls, config={"heartbeat": "17"}) as private:
        yield private


@pytest.fixture
def fake_server(tmp_path: Path) -> Path:
    """A directory with a package `fake_impl`, whose server only says that it is ready."""
    package = tmp_path / "fake_impl"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "rpc_server.py").write_text(FAKE_SERVER)
    return tmp_path


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a TCP server that sends back what it gets."""
    code = """
import asyncio
async def serve(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
    with Program([sys.executable, "-c", code]) as program:
        yield int(program.wait_for_output(r"^port (\d+)")[1])


def connect(url: str) -> pika.BlockingConnection:
    """Connect to the broker at `url`."""
    return pika.BlockingConnection(pika.URLParameters(url))


def open_socket(port: int) -> socket.socket:
    """Connect to a port of this machine."""
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def gone(pids: set[int]) -> bool:
    """Wait until all these processes have ended."""
    wait_until(lambda: not any(map(is_alive, pids)), "the processes are gone")
    return True


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def vms(leader: int) -> list[psutil.Process]:
    """Return the Erlang VMs among what a process started."""
    found = []
    for process in family(leader):
        with suppress(psutil.NoSuchProcess):  # a script on the way to the VM may have ended
            if process.name() == "beam.smp":
                found.append(process)
    return found


# The broker


def test_private_broker_serves_amqp(node: PrivateBroker) -> None:
    """A private broker serves AMQP, and rabbitmqctl lists what is in it."""
    with connect(node.url) as connection:
        connection.channel().queue_declare('"ü"', exclusive=True)
        assert node.table("queues", "name") == [{"name": '"ü"'}]
        assert [row["user"] for row in node.table("connections", "pid", "user")] == ["guest"]
        assert node.queue_names() == {'"ü"'}
        assert node.counts() == {"queues": 1, "connections": 1, "channels": 1}
    assert "Server startup complete" in node.log.read_text()


def test_private_broker_serves_amqps(node: PrivateBroker) -> None:
    """A TLS listener serves a client that verifies the certificate."""
    assert node.tls_url is not None
    parameters = pika.URLParameters(node.tls_url)
    context = ssl.create_default_context(cafile=node.config["ssl_options.cacertfile"])
    parameters.ssl_options = pika.SSLOptions(context, "localhost")
    with pika.BlockingConnection(parameters) as connection:
        assert connection.is_open


def test_private_broker_takes_configuration(node: PrivateBroker) -> None:
    """`config` reaches the node."""
    assert node.evaluate("application:get_env(rabbit, heartbeat)") == "{ok, 17}"


def test_private_broker_listens_on_this_machine_only(node: PrivateBroker) -> None:
    """Neither the node nor its epmd can be reached from elsewhere."""
    listening = [
        connection.laddr.ip
        for pid in (node.pid, node._distribution._epmd.pid)
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 4  # AMQP, AMQPS, distribution, epmd
    assert set(listening) <= {"127.0.0.1", "::1"}


def test_private_broker_closes_connections_with_a_reason(node: PrivateBroker) -> None:
    """Clients are told why they are thrown out."""
    connection = connect(node.url)
    node.close_all_connections("because")
    with pytest.raises(ConnectionClosedByBroker, match="because"):
        connection.process_data_events(time_limit=10)


def test_stop_app_and_start_app(node: PrivateBroker) -> None:
    """RabbitMQ stops and starts inside the same Erlang VM."""
    pid = node.pid
    node.stop_app()
    with pytest.raises(ConnectionRefusedError):
        open_socket(node.port)
    node.start_app()
    connect(node.url).close()
    assert node.pid == pid


def test_stopped_and_killed_broker_starts_again(node: PrivateBroker) -> None:
    """A node that was stopped or killed is gone at once; it returns with its data and ports."""
    with connect(node.url) as connection:
        connection.channel().queue_declare("kept", durable=True)
    # Stopped first: a node that is killed may lose what was declared in its last seconds.
    for end in node.stop, node.kill:
        processes = {process.pid for process in family(node.pid)}
        assert len(processes) > 1
        end()
        with pytest.raises(ConnectionRefusedError):
            open_socket(node.port)
        assert gone(processes)
        end()
        node.start()
        with connect(node.url) as connection:
            connection.channel().queue_declare("kept", durable=True, passive=True)
    with connect(node.url) as connection:
        connection.channel().queue_delete("kept")


def test_failing_rabbitmqctl_says_why(node: PrivateBroker) -> None:
    """The error of a failing rabbitmqctl carries its output."""
    with pytest.raises(RuntimeError, match="nosuchthing"):
        node.ctl("nosuchthing")


@pytest.mark.parametrize("wrong", ["no:such()", "1 +", "exit(no_such)"])
def test_failing_erlang_says_why(node: PrivateBroker, wrong: str) -> None:
    """The error of Erlang that cannot be evaluated carries the node's words."""
    with pytest.raises(RuntimeError, match=r"undef|syntax error|no_such"):
        node.evaluate(wrong)


def test_nothing_starts_an_epmd(node: PrivateBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Erlang starts for a program that finds none would outlive all."""
    port = free_port()
    monkeypatch.setattr(node._distribution, "port", port)
    with pytest.raises(RuntimeError):
        node.ctl("status")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_port_is_given_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port is not given out again while whoever asked for it may not have begun to listen."""
    port = free_port()
    monkeypatch.setattr("random.SystemRandom.sample", lambda *_: [port])
    with pytest.raises(RuntimeError, match="no free port"):
        free_port()


def test_broker_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    """A node that fails to boot says why, and leaves nothing."""
    private = PrivateBroker(config={"no.such.key": "1"})
    with pytest.raises(RuntimeError, match=r"no\.such\.key"), private:
        pass
    assert private._directory is None


def test_two_brokers_side_by_side_and_nothing_left_of_a_killed_owner(node: PrivateBroker) -> None:
    """After SIGKILL of the owner no process and no directory is left."""
    with Program([sys.executable, "-m", "harness.broker"]) as owner:
        url = owner.wait_for_output(r"^AMQP_URL=(\S+)$", timeout=60)[1]
        connect(url).close()
        connect(node.url).close()
        [vm] = vms(owner.pid)
        directory = Path(vm.environ()["HOME"])
        processes = {process.pid for process in family(owner.pid)} - {owner.pid}
        assert directory.is_dir()
        os.kill(owner.pid, signal.SIGKILL)
        assert gone(processes)
        wait_until(lambda: not directory.exists(), "the directory to be removed")
    connect(node.url).close()


def test_killed_family_leaves_its_guardian(tmp_path: Path) -> None:
    """Who kills a program with all that it started does not kill what clears away after it."""
    place = tmp_path / "place"
    place.mkdir()
    script = "import sys, time; from harness.guardian import *; from pathlib import Path\n"
    script += "watch_directory(Path(sys.argv[1])); print('watched', flush=True); time.sleep(1000)"
    with Program([sys.executable, "-c", script, str(place)], ready="watched") as owner:
        assert place.exists()
        owner.kill()
    wait_until(lambda: not place.exists(), "the directory to be removed")


def test_guardian_is_known_before_it_is_told_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever kills a family knows a guardian by its command line, which it has not got at once."""
    answers = iter([[], [], ["python", "guardian.py"]])
    monkeypatch.setattr(psutil.Process, "cmdline", lambda _: next(answers))
    os.close(guardian._guardian.__wrapped__())  # another one than this process has
    assert next(answers, None) is None


def test_foreground_broker_ends_on_sigterm(rabbitmq: None) -> None:
    """`python -m harness.broker` says where it is, and cleans up when it is asked to end."""
    with Program([sys.executable, "-m", "harness.broker"]) as owner:
        owner.wait_for_output("^AMQP_URL=.*\n.+", timeout=60)
        processes = {process.pid for process in family(owner.pid)}
        assert owner.terminate() == 0
        assert gone(processes)
        assert owner.output.count("\n") == 2


def test_foreground_broker_ends_on_ctrl_c_while_it_starts(rabbitmq: None) -> None:
    """Ctrl-C before the broker is ready is as clean."""
    with Program([sys.executable, "-m", "harness.broker"]) as owner:
        wait_until(lambda: vms(owner.pid), "an Erlang VM starts")
        processes = {process.pid for process in family(owner.pid)}
        assert owner.interrupt() == 0
        assert gone(processes)
        assert owner.output == ""


def test_broker_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without RabbitMQ the error says what to do."""
    monkeypatch.setattr(broker_module, "PLACES", [])
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BrokerNotInstalled, match=r"apt-get install rabbitmq-server.*AMQP_URL"):
        find_program("rabbitmq-server")
    monkeypatch.setattr(sys, "argv", ["broker"])
    assert broker_module.main() == 1


def test_port_that_is_taken_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m harness.broker --port` says at once that somebody else listens there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(sys, "argv", ["broker", "--port", str(taken.getsockname()[1])])
        assert broker_module.main() == 1
    assert "in use" in capsys.readouterr().err


def test_no_private_broker_on_windows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where processes have no sessions, `python -m harness.broker` says so, and what to do."""
    monkeypatch.setattr(broker_module, "UNIX", False)
    monkeypatch.setattr(sys, "argv", ["broker"])
    assert broker_module.main() == 1
    said = capsys.readouterr().err
    assert "a private broker needs Unix: set AMQP_URL" in said
    assert said.count("\n") == 1


@pytest.fixture(scope="module")
def managed() -> Iterator[ManagedBroker]:
    """A broker that is reached by its address and its management API only."""
    api = f"http://127.0.0.1:{free_port()}"
    config = {"management.tcp.ip": "127.0.0.1", "management.tcp.port": api.rpartition(":")[2]}
    with PrivateBroker(plugins=["rabbitmq_management"], config=config) as node:
        with ManagedBroker(node.url, api) as managed:
            yield managed
        assert node.table("vhosts", "name") == [{"name": "/"}]


def test_managed_broker_looks_inside(managed: ManagedBroker) -> None:
    """What it tells is true at once (of connections after a moment), and of its own virtual host only."""
    before = managed.counts()
    elsewhere = managed.url.rpartition("/")[0] + "/%2F"
    with connect(elsewhere) as other, connect(managed.url) as neutral:
        other.channel().queue_declare("other", exclusive=True)
        channel = neutral.channel()
        channel.confirm_delivery()
        channel.queue_declare("a/ü b", durable=True)
        channel.basic_publish("", "a/ü b", b"")
        channel.basic_get("a/ü b")
        assert managed.queue_names() == {"a/ü b"}
        assert managed.unacknowledged("a/ü b") == 1
        counts = {"queues": 1, "connections": before["connections"] + 1}
        wait_until(lambda: managed.counts() == counts, "the connection to be listed")
        channel.queue_delete("a/ü b")
        assert managed.queue_names() == set()


def test_managed_broker_closes_connections(managed: ManagedBroker) -> None:
    """It closes the connections to its own virtual host with a reason, and can refuse others."""
    elsewhere = managed.url.rpartition("/")[0] + "/%2F"
    before = managed.counts()["connections"]
    with connect(elsewhere) as other:
        neutral = connect(managed.url)
        # the broker lists it once an event has been handled, which may be after the client is told
        wait_until(lambda: managed.counts()["connections"] > before, "the connection to be listed")
        managed.close_all_connections("because")
        with pytest.raises(ConnectionClosedByBroker, match="because"):
            neutral.process_data_events(time_limit=10)
        with managed.limit_connections(0), pytest.raises(ProbableAccessDeniedError, match="limit"):
            connect(managed.url)
        connect(managed.url).close()
        other.process_data_events()


def test_broker_for_the_suite(managed: ManagedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """With $AMQP_URL the suite uses the management API if it can; one that is named has to be there."""
    monkeypatch.setenv("RABBITMQ_MANAGEMENT_URL", f"{managed.management_url}/")
    monkeypatch.setenv("AMQP_URL", managed.url)
    with suite_broker() as node:
        assert isinstance(node, ManagedBroker)
        assert node.queue_names() == set()
    monkeypatch.setenv("AMQP_URL", managed.url.replace("guest:guest", "guest:wrong"))
    with pytest.raises(Unmanageable, match="whoami"), suite_broker():
        pass
    monkeypatch.delenv("RABBITMQ_MANAGEMENT_URL")
    monkeypatch.setattr(management, "PORT", 1)  # where nobody listens
    with suite_broker() as node:
        assert type(node) is ExternalBroker


def test_management_of_another_broker(managed: ManagedBroker, node: PrivateBroker) -> None:
    """An API that belongs to another broker, as on a machine with several, is not used."""
    with pytest.raises(Unmanageable, match="another broker's"):
        ManagedBroker(node.url, managed.management_url).__enter__()
    with pytest.raises(Unmanageable, match="404"):
        managed._ask("GET", "vhosts/none")
    assert len(managed._ask("GET", "vhosts")) == 2


def test_external_broker(rabbitmq: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """$AMQP_URL takes the place of a private broker, and offers no control."""
    monkeypatch.setenv("AMQP_URL", "amqp://elsewhere")
    with broker() as external:
        assert isinstance(external, ExternalBroker)
        assert (external.url, external.controllable) == ("amqp://elsewhere", False)
        with pytest.raises(AttributeError, match="unset AMQP_URL"):
            external.kill()
    monkeypatch.delenv("AMQP_URL")
    assert isinstance(broker(), PrivateBroker)


# Server processes


def test_server_gets_only_the_arguments_given(fake_server: Path) -> None:
    """A server is started as a user would, with no argument of its own."""
    with ServerProcess(
        "fake_impl",
        "amqp://here",
        queue="q",
        concurrency=2,
        extra_args=["--more"],
        env={"OVERLAY": "yes"},
        cwd=fake_server,
    ) as server:
        line = server.output.splitlines()[0]
        assert "'url': 'amqp://here'" in line
        assert "'concurrency': '2'" in line
        assert "'prefetch': None" in line
        assert line.endswith("['--more'] yes")
        assert server.running
        assert server.returncode is None


def test_server_stops_on_signals(fake_server: Path) -> None:
    """SIGTERM and SIGINT reach the server, and its exit code comes back."""
    with ServerProcess("fake_impl", cwd=fake_server) as server:
        assert server.terminate() == 7
    with ServerProcess("fake_impl", cwd=fake_server) as server:
        assert server.interrupt() == 8
        assert server.returncode == 8
        assert not server.running


def test_killed_server_takes_its_children_along(fake_server: Path) -> None:
    """Children of a server that was killed by its id go with the block."""
    with ServerProcess("fake_impl", cwd=fake_server) as server:
        child = int(server.wait_for_output(r"^child (\d+)$")[1])
        os.kill(server.pid, signal.SIGKILL)
        assert server.wait() == -signal.SIGKILL
        assert is_alive(child)
    assert gone({child})


def test_server_that_fails_to_start_shows_its_output(fake_server: Path) -> None:
    """A server that ends before it is ready is an error with its output."""
    server = ServerProcess("fake_impl", queue="broken", cwd=fake_server)
    with pytest.raises(RuntimeError, match="no such queue"), server:
        pass
    assert server.returncode == 1


def test_server_does_not_outlive_its_owner(fake_server: Path) -> None:
    """After SIGKILL of the owner neither the server nor its child is left."""
    code = (
        "import signal; from harness.server import ServerProcess\n"
        "with ServerProcess('fake_impl') as s: print(s.output, s.pid, flush=True); signal.pause()"
    )
    with Program([sys.executable, "-c", code], cwd=fake_server) as owner:
        match = owner.wait_for_output(r"^child (\d+)$[\s\S]*^ ?(\d+)$")
        os.kill(owner.pid, signal.SIGKILL)
        assert gone({int(match[1]), int(match[2])})


def test_waiting_for_output_has_a_deadline() -> None:
    """What does not come in time is a TimeoutError."""
    with Program(["sleep", "100"]) as program:
        with pytest.raises(TimeoutError, match="never"):
            program.wait_for_output("never", timeout=0.1)
        with pytest.raises(TimeoutError, match="still running"):
            program.wait(timeout=0.1)


def test_program_never_started() -> None:
    """A program that was never started can be killed, and nothing else."""
    program = Program(["sleep", "100"])
    program.kill()
    assert not program.running
    with pytest.raises(RuntimeError, match="not started"):
        program.pid  # noqa: B018


def test_project_root_is_importable_from_anywhere(tmp_path: Path) -> None:
    """A program finds the project whatever its working directory."""
    code = "import harness; print(harness.__file__)"
    with Program([sys.executable, "-c", code], cwd=tmp_path) as program:
        assert program.wait() == 0
        program.wait_for_output(re.escape(str(PROJECT_ROOT)))


# The proxy


def test_proxy_carries_amqp(node: PrivateBroker) -> None:
    """A client works through the proxy."""
    with Proxy.for_url(node.url) as proxy:
        assert proxy.url == node.url.replace(str(node.port), str(proxy.port))
        with connect(proxy.url) as connection:
            proxy.wait_for_connections(1)
            connection.channel().queue_declare("q", exclusive=True)
        proxy.wait_for_connections(0)


def test_proxy_keeps_the_rest_of_the_url() -> None:
    """User, virtual host and query stay; "localhost" stays, for its certificate."""
    tls = Proxy.for_url("amqps://u:p%40@localhost/v%2F?heartbeat=3")
    assert tls.url == f"amqps://u:p%40@localhost:{tls.port}/v%2F?heartbeat=3"
    assert Proxy.for_url("amqp://far.example:1").url.startswith("amqp://127.0.0.1:")


def test_proxy_passes_the_end_of_a_stream(echo: int) -> None:
    """Every byte arrives, and so does the end of either half of a connection."""
    with Proxy("127.0.0.1", echo) as proxy, open_socket(proxy.port) as sock:
        sock.sendall(b"x" * 1_000_000)
        sock.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: sock.recv(65_536), b""))
        assert len(received) == 1_000_000
        proxy.wait_for_connections(0)


def test_proxy_delays(echo: int) -> None:
    """Bytes are late by the time given, in the direction given."""
    with Proxy("127.0.0.1", echo) as proxy, open_socket(proxy.port) as sock:
        proxy.delay(0.6)
        started = time.monotonic()
        sock.sendall(b"a")
        assert sock.recv(1) == b"a"
        assert 1.2 <= time.monotonic() - started < 2.4
        proxy.delay(0)
        proxy.delay(0.6, "to_client")
        started = time.monotonic()
        sock.sendall(b"b")
        assert sock.recv(1) == b"b"
        assert 0.6 <= time.monotonic() - started < 1.2
        proxy.heal()
        sock.sendall(b"c")
        assert sock.recv(1) == b"c"


def test_proxy_cuts(echo: int) -> None:
    """A cut connection is reset; the next one works."""
    with Proxy("127.0.0.1", echo) as proxy, open_socket(proxy.port) as sock:
        proxy.wait_for_connections(1)
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
        assert proxy.connections == 0
        with open_socket(proxy.port) as another:
            another.sendall(b"a")
            assert another.recv(1) == b"a"


def test_proxy_refuses_until_healed(echo: int) -> None:
    """Connections are reset, and new ones refused, until `heal`."""
    with Proxy("127.0.0.1", echo) as proxy, open_socket(proxy.port) as sock:
        proxy.wait_for_connections(1)
        proxy.refuse()
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
        with pytest.raises(ConnectionRefusedError):
            open_socket(proxy.port)
        proxy.heal()
        with open_socket(proxy.port) as another:
            another.sendall(b"a")
            assert another.recv(1) == b"a"


def test_proxy_leaves_nothing_open(echo: int) -> None:
    """What it accepts just when it refuses is closed, and not left to the garbage collector."""
    ended = threading.Event()
    with Proxy("127.0.0.1", echo) as proxy:

        def connect_again_and_again() -> None:
            while not ended.is_set():
                with suppress(OSError), open_socket(proxy.port):
                    pass

        with ThreadPoolExecutor(3) as pool:
            for _ in range(3):
                pool.submit(connect_again_and_again)
            for _ in range(50):
                proxy.refuse()
                proxy.heal()
            ended.set()
    gc.collect()  # at which Python would warn, and pytest fail


@pytest.mark.parametrize("direction", get_args(Direction))
def test_proxy_swallows_until_healed(echo: int, direction: Direction) -> None:
    """A black hole closes nothing; what lost bytes is reset by `heal`."""
    with Proxy("127.0.0.1", echo) as proxy, open_socket(proxy.port) as old:
        proxy.black_hole(direction)
        with open_socket(proxy.port) as new:
            for sock in old, new:
                sock.sendall(b"lost")
                sock.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    sock.recv(1)
            proxy.wait_for_connections(2)
            proxy.heal()
            for sock in old, new:
                with pytest.raises(ConnectionResetError):
                    sock.recv(1)


def test_proxy_spares_connections_that_lost_nothing(echo: int) -> None:
    """`heal` leaves whole streams alone."""
    with Proxy("127.0.0.1", echo) as proxy, open_socket(proxy.port) as sock:
        proxy.black_hole()
        proxy.heal()
        sock.sendall(b"a")
        assert sock.recv(1) == b"a"


def test_proxy_to_nobody_resets() -> None:
    """Where no broker listens the client is told."""
    with Proxy("127.0.0.1", broker_module.free_port()) as proxy:
        # which may already be while it connects
        with pytest.raises(ConnectionResetError), open_socket(proxy.port) as sock:
            sock.recv(1)
        with pytest.raises(TimeoutError, match="0 connections"):
            proxy.wait_for_connections(1, timeout=0.05)


# The functions


def test_functions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each function does what its name says."""
    assert functions.identity(3) == functions.slow(3) == functions.sleep_20ms(3) == 3
    assert functions.kill_process(665) == 665
    assert functions.returns_none(3) is None
    assert functions.returns_text(3) == "3"
    assert 10**4_999 <= functions.too_long(3) < 10**5_000
    for function, error in [
        (functions.raises, ValueError),
        (functions.raises_system_exit, SystemExit),
        (functions.raises_keyboard_interrupt, KeyboardInterrupt),
    ]:
        with pytest.raises(error, match="3"):
            function(3)
    log = tmp_path / "calls"
    monkeypatch.setenv("RPC_CALL_LOG", str(log))
    assert functions.log_call(4) == 4
    assert functions.slow_logged(5) == 5
    monkeypatch.setenv("RPC_GATE", str(log))  # which exists
    assert functions.wait_for_file(6) == 6
    assert functions.logged_calls(log) == [4, 5, 6]
    assert log.read_text().startswith(f"4 {os.getpid()}\n5 {os.getpid()}\n")


def test_kill_process_kills_the_process() -> None:
    """The poison kills."""
    code = "from harness.functions import kill_process; kill_process(666)"
    with Program([sys.executable, "-c", code]) as program:
        assert program.wait() == -signal.SIGKILL
