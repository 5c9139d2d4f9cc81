"""C9 to C23 to the letter, at a server: raw replies, AMQP's methods, log lines, what it takes and gives back."""

import json
import re
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

import pika
import pytest

from conftest import Connect, Serve
from contract import RemoteError, RpcClient, RpcTimeout, Stats
from harness.broker import PrivateBroker
from harness.functions import logged_calls
from harness.program import Program
from harness.proxy import Proxy
from harness.server import ServerProcess
from rpc_core.programs import EXIT_REFUSED
from tests.load import LATE
from tests.methods import watched
from tests.poison import TOGETHER
from tests.running import NOWHERE, run
from tests.waiting import messages_ready, take_request, wait_until

STOPS_WITHIN = {"raw_pika": 1.2, "kombu_impl": 5.3, "celery_impl": 5.3}  # seconds, in an alarm


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The file in which `harness.functions` notes each call."""
    return tmp_path / "calls"


def logged(log: Path, function: str = "slow_logged", **options: Any) -> dict[str, Any]:
    """Return the options of a server that notes its calls."""
    return {
        "function": f"harness.functions:{function}",
        "env": {"RPC_CALL_LOG": str(log)},
        **options,
    }


class Asker:
    """Sends requests as the client writes them, changed, and takes the raw replies."""

    def __init__(self, client: RpcClient, channel: Any, queue: str) -> None:
        client.submit(30, timeout=50)
        method, self.properties, self.body = take_request(client, channel, queue)
        channel.basic_ack(method.delivery_tag)
        self.properties.reply_to = channel.queue_declare("", exclusive=True).method.queue
        self.is_task = isinstance(json.loads(self.body), list)
        self._channel, self._queue = channel, queue

    def body_of(self, *arguments: Any) -> bytes:
        """Return a request's body with other arguments."""
        return json.dumps([list(arguments), {}, {}] if self.is_task else arguments[0]).encode()

    def send(self, body: bytes, *, reply: bool = True) -> None:
        """Send a request."""
        properties = pika.BasicProperties(**vars(self.properties))
        if not reply:
            properties.reply_to = None
        self._channel.basic_publish("", self._queue, body, properties)

    def ask(self, body: bytes) -> tuple[Any, bytes]:
        """Send a request, and return properties and body of the reply."""
        self.send(body)
        found = next(self._channel.consume(self.properties.reply_to, True, inactivity_timeout=20))
        assert found[1] is not None, f"no answer to {body!r:.80}"
        return found[1], found[2]


@pytest.fixture
def asker(client: RpcClient, channel: Any, queue: str) -> Asker:
    """What asks in the place of a client."""
    return Asker(client, channel, queue)


# -- what a server sends -----------------------------------------------------------------------------------


def test_methods_of_a_server(serve: Serve, client: RpcClient, url: str, queue: str) -> None:
    """C2, C14: a call costs a server one publish and then one acknowledgement, and no other method."""
    with watched(url) as (proxy, methods):
        serve(url=proxy.url)
        assert {each.queue for each in methods.of("Queue.Declare")} == {queue}
        assert client.call(1) == 1
        wait_until(lambda: methods.names[-1] == "Basic.Ack", "the acknowledgement")
        before = len(methods.sent)
        for n in range(10):
            client.submit(n % 3).result()
            wait_until(lambda n=n: len(methods.sent) == before + 2 * n + 2, "both")  # type: ignore[misc]
        assert methods.names[before:] == ["Basic.Publish", "Basic.Ack"] * 10


@pytest.mark.parametrize(
    ("options", "prefetch"),
    [
        ({}, 1),
        ({"concurrency": 3}, 3),
        ({"prefetch": 7, "heartbeat": 11}, 7),
        ({"concurrency": 2, "prefetch": 5, "queue_type": "quorum"}, 5),
    ],
    ids=str,
)
def test_options_of_a_server_reach_the_broker(
    serve: Serve, url: str, queue: str, options: dict[str, Any], prefetch: int
) -> None:
    """C15, C16, C23: prefetch, heartbeat, queue and its type are what the broker is asked for."""
    with watched(url) as (proxy, methods):
        serve(url=proxy.url, **options)
        assert methods.of("Queue.Declare")
        for declared in methods.of("Queue.Declare"):  # a worker may do it twice
            assert (declared.queue, declared.durable, declared.exclusive) == (queue, True, False)
            assert declared.arguments == {"x-queue-type": options.get("queue_type", "classic")}
        [tuned] = methods.of("Connection.TuneOk")
        assert tuned.heartbeat == options.get("heartbeat", 30)
        assert methods.of("Basic.Qos")[-1].prefetch_count == prefetch
        [consumed] = methods.of("Basic.Consume")
        assert (consumed.queue, consumed.no_ack) == (queue, False)


@pytest.mark.usefixtures("on_rpc_core")
def test_connections_have_names(
    backend: str, serve: Serve, connect: Connect, url: str, queue: str
) -> None:
    """Names: what the broker lists of a connection says whose it is, and of which queue."""
    for role, start in (("server", serve), ("client", connect)):
        with watched(url) as (proxy, methods):
            start(url=proxy.url)
            wait_until(lambda found=methods: found.of("Connection.Open"), "the connection")  # type: ignore[misc]
            [said] = methods.of("Connection.StartOk")
            assert said.client_properties["connection_name"] == f"{backend} {role} of {queue}"


def test_jobs_that_end_together(serve: Serve, client: RpcClient) -> None:
    """C4, C15: of jobs that end in one moment each is answered then; no reply waits for whatever comes next."""
    serve(function="tests.poison:end_together", concurrency=TOGETHER)
    for _ in range(20):
        futures = [client.submit(n, timeout=5) for n in range(TOGETHER)]
        assert [future.result() for future in futures] == list(range(TOGETHER))


# -- raw replies -------------------------------------------------------------------------------------------


def test_further_arguments(serve: Serve, asker: Asker) -> None:
    """C9: a request for more than one n, or for anything else beside it, is refused with InvalidRequest."""
    serve()
    _, good = asker.ask(asker.body_of(5))
    assert b"InvalidRequest" not in good
    tasks = [
        [[5], {"x": 1}, {}],
        [[5, 6], {}, {}],
        [[], {}, {}],
        [[5], {"n": 5}, {}],
        [[], {"n": 5, "x": 1}, {}],
    ]
    bodies: list[Any] = tasks if asker.is_task else [[5], [5, 6], {"n": 5}, {"n": 5, "x": 1}]
    for body in bodies:
        _, reply = asker.ask(json.dumps(body).encode())
        assert b"InvalidRequest" in reply, body


def test_raw_error_replies(serve: Serve, asker: Asker) -> None:
    """C10, C20: an error's raw reply has its type and its message, and nothing of the server's code."""
    server = serve(function="harness.functions:raises")
    properties, reply = asker.ask(asker.body_of(7))
    assert properties.content_type == "application/json"
    assert properties.correlation_id == asker.properties.correlation_id
    said = json.loads(reply)
    texts = re.findall(r'"([^"]*)"', reply.decode())
    assert "ValueError" in texts
    assert "boom 7" in texts
    assert not said.get("traceback")
    for secret in ("Traceback", "File ", ".py", "harness", "raise", str(Path.cwd())):
        assert secret not in reply.decode()
        assert secret not in str(properties.headers)
    server.wait_for_output(r"Traceback(.|\n)*functions\.py(.|\n)*ValueError: boom 7")


@pytest.mark.usefixtures("on_rpc_core")
def test_replies_are_transient(serve: Serve, asker: Asker) -> None:
    """C23: the broker writes no reply to disk, be it a result, an error or a refusal, whatever was asked for."""
    serve(function="tests.poison:power_of_ten")
    asker.properties.delivery_mode = 2
    for argument in (2, 4300, -1):
        properties, _ = asker.ask(asker.body_of(argument))
        assert properties.delivery_mode in (None, 1)


def test_own_error_named_like_ours(serve: Serve, client: RpcClient) -> None:
    """C10: a function's own exception that is called InvalidRequest is not taken for the server's verdict."""
    serve(function="tests.poison:raises_invalid_request_of_its_own")
    with pytest.raises(RemoteError) as caught:
        client.call(7)
    assert caught.value.exception_type == "InvalidRequest"
    assert caught.value.message == "mine 7"


def test_long_error_text(serve: Serve, client: RpcClient) -> None:
    """C10: type and message arrive to the letter, the message up to its first 1,000 characters."""
    serve(function="tests.poison:raises_long")
    with pytest.raises(RemoteError) as caught:
        client.call(1200)
    assert (caught.value.exception_type, caught.value.message) == ("LookupError", "ä" * 1000)
    with pytest.raises(RemoteError) as caught:
        client.call(999)
    assert caught.value.message == "ä" * 999


def test_longest_result(serve: Serve, client: RpcClient) -> None:
    """C1, C10: a result of 4,300 digits is exact; one more is too long to send, and said so."""
    serve(function="tests.poison:power_of_ten")
    assert client.call(4299) == 10**4299
    with pytest.raises(RemoteError, match="4300"):
        client.call(4300)
    assert client.call(0) == 1


def test_result_that_only_the_server_can_write(serve: Serve, client: RpcClient) -> None:
    """C13: a reply with more digits than the client's process reads is malformed; the next call works."""
    serve(function="tests.poison:power_of_ten", env={"PYTHONINTMAXSTRDIGITS": "6000"})
    unread = client.submit(5000, timeout=20)
    wait_until(lambda: client.stats.malformed == 1, "the reply to be counted")
    assert not unread.done()
    unread.cancel()
    assert client.call(2) == 100


def test_log_of_invalid_requests(serve: Serve, asker: Asker, channel: Any, queue: str) -> None:
    """C9: each invalid request leaves one line in the log that says what was wrong, with reply_to or without."""
    server = serve()
    bodies = [asker.body_of(-1), asker.body_of("x"), b"nonsense", b"x" * 1025]
    for body in bodies:
        asker.ask(body)
        asker.send(body, reply=False)
    asker.ask(asker.body_of(5))
    assert server.terminate() == 0
    lines = [line for line in server.output.splitlines() if "invalid request: " in line]
    assert len(lines) == 2 * len(bodies)
    for said in ("negative", "not str", "not JSON", "at most 1024 bytes"):
        assert sum(said in line for line in lines) == 2
    assert messages_ready(channel, queue) == 0


def test_invalid_requests_are_not_requeued(serve: Serve, asker: Asker, url: str) -> None:
    """C9: an invalid request is acknowledged, once, and neither rejected nor given back."""
    with watched(url) as (proxy, methods):
        serve(url=proxy.url)
        before = len(methods.sent)
        asker.ask(asker.body_of(-1))
        asker.send(b"nonsense", reply=False)
        asker.ask(asker.body_of(5))
        wait_until(lambda: methods.names[before:].count("Basic.Ack") == 3, "the acknowledgements")
        # a worker may set its prefetch once more at the beginning
        assert [name for name in methods.names[before:] if name != "Basic.Qos"] == [
            "Basic.Publish",
            "Basic.Ack",
            "Basic.Ack",
            "Basic.Publish",
            "Basic.Ack",
        ]


# -- stopping (C17) ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 2])
def test_stopping_server_takes_nothing(
    serve: Serve, client: RpcClient, log: Path, concurrency: int
) -> None:
    """C17: while a server that was told to stop computes, an idle one gets all that comes, at once."""
    options = logged(log, prefetch=concurrency + 2, concurrency=concurrency)
    servers = {server.pid: server for server in (serve(**options), serve(**options))}
    slow = client.submit(2500, timeout=50)
    wait_until(lambda: logged_calls(log) == [2500], "one of them to compute")
    busy = servers[int(log.read_text().split()[1])]
    busy.send_signal(signal.SIGTERM)
    busy.wait_for_output("stopping: ")
    assert [client.call(n, timeout=2) for n in range(12)] == list(range(12))
    assert not slow.done()
    assert slow.result() == 2500
    assert busy.wait(20) == 0
    assert logged_calls(log) == [2500, *range(12)]


def test_stopping_server_gives_back_at_once(serve: Serve, client: RpcClient, log: Path) -> None:
    """C17: what a server only prefetched need not wait for what it computes, when it is told to stop."""
    busy = serve(**logged(log, prefetch=3))
    slow, *others = [client.submit(n, timeout=50) for n in (6500, 1, 2)]
    wait_until(lambda: logged_calls(log) == [6500], "the server to compute")
    serve(**logged(log))
    busy.send_signal(signal.SIGTERM)
    assert [other.result() for other in others] == [1, 2]
    assert not slow.done()
    assert slow.result() == 6500
    assert busy.wait(20) == 0
    assert logged_calls(log) == [6500, 1, 2]


def test_stopping_server_on_the_wire(
    serve: Serve, client: RpcClient, log: Path, url: str, channel: Any, queue: str
) -> None:
    """C17: told to stop, a server cancels its consumer, then replies, then acknowledges."""
    with watched(url) as (proxy, methods):
        server = serve(url=proxy.url, **logged(log))
        future = client.submit(600, timeout=30)
        wait_until(lambda: logged_calls(log) == [600], "the server to compute")
        assert server.terminate(20) == 0
        assert future.result(timeout=5) == 600
        order = ["Basic.Cancel", "Basic.Publish", "Basic.Ack"]
        assert [name for name in methods.names if name in order][:3] == order
        assert messages_ready(channel, queue) == 0


def test_given_back_is_no_failed_attempt(
    serve: Serve, client: RpcClient, log: Path, url: str, channel: Any, queue: str
) -> None:
    """C17: what is given back is nacked: a quorum queue of RabbitMQ 4.3 counts a reject towards its limit."""
    with watched(url) as (proxy, methods):
        server = serve(url=proxy.url, **logged(log, prefetch=3))
        futures = [client.submit(n, timeout=30) for n in (600, 601, 602)]
        wait_until(lambda: logged_calls(log) == [600], "the server to compute")
        wait_until(lambda: messages_ready(channel, queue) == 0, "all to be taken")
        assert server.terminate(20) == 0
        given_back = methods.of("Basic.Nack")
        assert [(each.multiple, each.requeue) for each in given_back] == [(False, True)] * 2
        assert "Basic.Reject" not in methods.names
    serve(**logged(log))
    assert [future.result() for future in futures] == [600, 601, 602]


def test_deadline_does_not_interrupt(serve: Serve, client: RpcClient, log: Path) -> None:
    """C4, C14: a deadline ends the call, not the computation that has begun; its reply is late."""
    server = serve(**logged(log))
    with pytest.raises(RpcTimeout):
        client.call(700, timeout=0.4)
    wait_until(lambda: client.stats.late == 1, "the late reply")
    assert server.terminate() == 0
    serve(**logged(log))
    assert client.call(1) == 1
    assert logged_calls(log) == [700, 1]


# -- brokers (C12, C18, C20) -------------------------------------------------------------------------------


def test_server_at_a_refusing_and_a_dead_broker(backend: str, url: str, queue: str) -> None:
    """C18, C20: a refusal is not hidden by a dead broker before or after it."""
    refusing = url.replace("guest:guest", "guest:wrong")
    for several in (f"{refusing};{NOWHERE}", f"{NOWHERE};{refusing};{url}"):
        done = run(f"{backend}.rpc_server", "--url", several, "--queue", queue)
        assert done.returncode == EXIT_REFUSED, done.stderr
        assert done.stderr.count("\n") == 1
        assert "the broker refused" in done.stderr


def test_stop_at_a_silent_broker(backend: str, url: str, queue: str) -> None:
    """C17: a server that is told to stop while it waits for a silent broker does not try the next address."""
    with Proxy.for_url(url) as silent, watched(url) as (other, methods):
        silent.black_hole()
        options = ("--url", f"{silent.url};{other.url}", "--queue", queue)
        command = [sys.executable, "-m", f"{backend}.rpc_server", *options]
        with Program(command) as server:
            silent.wait_for_connections(1, 20)
            assert server.terminate(20) == 0
    assert methods.sent == []


# -- a connection that is lost in a job ----------------------------------------------------------------------


@pytest.fixture
def proxy(url: str) -> Iterator[Proxy]:
    """A proxy to the run's broker."""
    with Proxy.for_url(url) as between:
        yield between


def test_reply_after_a_loss_is_not_sent(
    serve: Serve, client: RpcClient, proxy: Proxy, log: Path
) -> None:
    """C11: a request whose connection was lost in its job is answered once, by who has it then."""
    server = serve(url=proxy.url, **logged(log))
    future = client.submit(800, timeout=30)
    wait_until(lambda: logged_calls(log) == [800], "the server to compute")
    proxy.cut()
    assert future.result() == 800
    assert client.call(1) == 1
    assert server.terminate(20) == 0
    assert logged_calls(log) == [800, 800, 1]
    assert client.stats.late == 0


@pytest.mark.parametrize("concurrency", [1, 2])
def test_requests_that_a_lost_connection_had_brought(
    serve: Serve, client: RpcClient, proxy: Proxy, log: Path, concurrency: int
) -> None:
    """C11, C15: what nobody had begun when the connection was lost is computed once, by who has it then."""
    options = logged(log, concurrency=concurrency, prefetch=concurrency + 2, extra_args=["-v"])
    server = serve(url=proxy.url, **options)
    begun, unbegun = list(range(900, 900 + concurrency)), [1, 2]
    futures = [client.submit(n, timeout=30) for n in begun + unbegun]
    wait_until(lambda: sorted(logged_calls(log)) == begun, "the server to compute")
    wait_until(lambda: server.output.count("<- request") == len(futures), "it to hold them all")
    proxy.cut()
    assert [future.result() for future in futures] == begun + unbegun
    assert sorted(logged_calls(log)) == sorted(2 * begun + unbegun)


def gated(log: Path, **options: Any) -> dict[str, Any]:
    """Return the options of a server that computes each n until `open_gate`."""
    env = {"RPC_CALL_LOG": str(log), "RPC_GATE": str(log.with_name("gate "))}
    return {"function": "tests.poison:wait_for_own_file", "env": env, **options}


def open_gate(log: Path, n: int) -> None:
    """Let such a server end what it computes for n."""
    log.with_name(f"gate {n}").touch()


def lose_connection_in_jobs(
    server: ServerProcess, client: RpcClient, proxy: Proxy, log: Path
) -> list["Future[int]"]:
    """Have a server lose its connection while it computes 1 and 2, and make another; return their calls."""
    futures = [client.submit(n, timeout=50) for n in (1, 2)]
    wait_until(lambda: len(logged_calls(log)) == 2, "the server to compute")
    proxy.cut()
    server.wait_for_output("(Awaiting RPC requests(.|\n)*){2}", 20)
    return futures


@pytest.mark.parametrize(
    ("concurrency", "prefetch", "queue_type"),
    [(2, 4, "classic"), (3, 3, "quorum")],
    ids=["all busy", "one idle"],
)
def test_prefetch_after_a_loss(
    serve: Serve,
    connect: Connect,
    proxy: Proxy,
    queue: str,
    log: Path,
    private_broker: PrivateBroker,
    concurrency: int,
    prefetch: int,
    queue_type: str,
) -> None:
    """C15, C18: after a loss a server takes what it can begin, and more with each job that ends, until all."""
    options = gated(log, concurrency=concurrency, prefetch=prefetch, queue_type=queue_type)
    server, client = serve(url=proxy.url, **options), connect(queue_type=queue_type)
    futures = lose_connection_in_jobs(server, client, proxy, log)
    each = prefetch // concurrency
    takes = prefetch - 2 * each
    assert private_broker.prefetch(queue) == takes
    for n, future in enumerate(futures, 1):
        open_gate(log, n)
        assert future.result() == n
        takes += each
        wait_until(lambda now=takes: private_broker.prefetch(queue) >= now, "more requests")  # type: ignore[misc]
        assert private_broker.prefetch(queue) == takes
    assert sorted(logged_calls(log)) == [1, 1, 2, 2]


def test_stop_after_a_loss(
    serve: Serve,
    client: RpcClient,
    proxy: Proxy,
    queue: str,
    log: Path,
    private_broker: PrivateBroker,
) -> None:
    """C17: a server that began again to take requests one by one takes none at all once it is told to stop."""
    server = serve(url=proxy.url, **gated(log, concurrency=2))
    futures = lose_connection_in_jobs(server, client, proxy, log)
    for n, future in enumerate(futures, 1):
        open_gate(log, n)
        assert future.result() == n
        wait_until(lambda now=n: private_broker.prefetch(queue) == now, "more requests")  # type: ignore[misc]
    last = client.submit(3, timeout=50)
    wait_until(lambda: 3 in logged_calls(log), "the server to compute")
    server.send_signal(signal.SIGTERM)
    wait_until(lambda: private_broker.prefetch(queue) == 0, "it to take no more")
    assert not last.done()
    open_gate(log, 3)
    assert last.result() == 3
    assert server.wait(20) == 0


def test_function_that_holds_the_interpreter_lock(
    serve: Serve, client: RpcClient, log: Path
) -> None:
    """C11, C18: a job that keeps heartbeats from being sent costs the connection, and is computed again."""
    options = logged(log, heartbeat=1)
    server = serve(**options | {"function": "tests.poison:holds_the_lock"})
    assert client.call(5, timeout=30) == 5
    assert logged_calls(log) == [5, 5]
    server.wait_for_output("next attempt in")
    assert client.stats == Stats(sent=1, succeeded=1)


def test_reply_that_is_ready_while_the_interpreter_lock_is_held(
    serve: Serve, client: RpcClient, log: Path
) -> None:
    """C16: it may wait until the next job lets the lock go, and is sent then."""
    quick, holding = (client.submit(n, timeout=30) for n in (0, 2))
    server = serve(**logged(log, prefetch=2) | {"function": "tests.poison:holds_the_lock"})
    assert (quick.result(), holding.result()) == (0, 2)
    assert logged_calls(log) == [0, 2]
    assert "next attempt in" not in server.output


def test_alarm(serve: Serve, client: RpcClient, private_broker: PrivateBroker, log: Path) -> None:
    """C4, C11, C17: while the broker reads nothing calls end in time; they are computed afterwards."""
    server = serve(**logged(log))
    assert client.call(1) == 1
    alarm = "{resource_limit, memory, node()}"
    private_broker.evaluate(f"rabbit_alarm:set_alarm({{{alarm}, []}})")
    try:
        with suppress(RpcTimeout):
            client.call(
                2, timeout=0.7
            )  # at which the broker stops to read this connection, or after it
        begun = time.monotonic()
        with pytest.raises(RpcTimeout):
            client.call(5, timeout=0.7)
        assert 0.7 <= time.monotonic() - begun < 0.7 + LATE
        assert 5 not in logged_calls(log)
    finally:
        private_broker.evaluate(f"rabbit_alarm:clear_alarm({alarm})")
    wait_until(lambda: logged_calls(log) == [1, 2, 5], "the request to be computed all the same")
    assert client.call(3, timeout=20) == 3
    private_broker.evaluate(f"rabbit_alarm:set_alarm({{{alarm}, []}})")
    try:
        lost = client.submit(4, timeout=20)
        assert server.terminate(20) == 0  # it does not wait for the alarm's end
    finally:
        private_broker.evaluate(f"rabbit_alarm:clear_alarm({alarm})")
    serve(**logged(log))
    assert lost.result() == 4


def test_stop_in_an_alarm(
    backend: str, serve: Serve, client: RpcClient, private_broker: PrivateBroker, log: Path
) -> None:
    """C17: a server whose broker has stopped to read it gives its connection up in time; no call fails."""
    server = serve(**logged(log), extra_args=["-v"])
    future = client.submit(500, timeout=30)
    wait_until(lambda: logged_calls(log) == [500], "the server to compute")
    alarm = "{resource_limit, memory, node()}"
    private_broker.evaluate(f"rabbit_alarm:set_alarm({{{alarm}, []}})")
    try:
        server.wait_for_output("-> reply")
        begun = time.monotonic()
        assert server.terminate(20) == 0
        took = time.monotonic() - begun
    finally:
        private_broker.evaluate(f"rabbit_alarm:clear_alarm({alarm})")
    assert took < STOPS_WITHIN.get(backend, 20) + LATE
    serve(**logged(log))
    assert future.result() == 500
