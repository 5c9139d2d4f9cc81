"""C2 to C18 on a bad day: slow and broken networks, silent peers, dead brokers, wrong clocks."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import pamqp.commands
import pytest

from conftest import Connect, Serve
from contract import (
    RpcClient,
    RpcClosed,
    RpcConnectionLost,
    RpcError,
    RpcServerUnavailable,
    RpcTimeout,
    fib,
)
from harness.broker import ExternalBroker, PrivateBroker
from harness.frames import FrameFilter
from harness.functions import logged_calls
from harness.implementations import client_class
from harness.program import PROJECT_ROOT
from harness.proxy import Direction, Proxy, Way
from rpc_core.limits import IO_TIMEOUT
from tests.load import LATE, Load
from tests.systems import needs_limits_of_others
from tests.waiting import stopped, wait_until

DIRECTIONS = get_args(Direction)
CLOSE_WITHIN = 7.0  # seconds, with a silent broker
LOST_WITHIN = {"kombu_impl": 2.5, "celery_impl": 2.5}  # seconds, with a heartbeat of 1 s
LOST_WITHIN_ELSEWHERE = 12.5


@pytest.fixture
def proxy(url: str) -> Iterator[Proxy]:
    """A proxy to the run's broker."""
    with Proxy.for_url(url) as between:
        yield between


@pytest.fixture(scope="module")
def node(broker: PrivateBroker | ExternalBroker) -> Iterator[PrivateBroker]:
    """A broker that the tests of this file may kill: the run's, if it is ours. Each leaves it running."""
    if isinstance(broker, PrivateBroker):
        yield broker
        return
    with PrivateBroker() as private:
        yield private


# -- delay -----------------------------------------------------------------------------------------


def quickest(client: RpcClient, calls: int) -> float:
    """Return how many seconds the quickest of several calls took."""
    times = []
    for n in range(calls):
        begun = time.monotonic()
        assert client.call(n) == fib(n)
        times.append(time.monotonic() - begun)
    return min(times)


def test_one_message_each_way(serve: Serve, connect: Connect, proxy: Proxy) -> None:
    """C2: a call costs one message each way and no synchronous round trip, for the client."""
    serve()
    client = connect(proxy.url)
    client.call(1)
    proxy.delay(0.4)
    assert 0.8 <= quickest(client, 3) < 1.5


def test_one_message_each_way_in_the_server(serve: Serve, client: RpcClient, proxy: Proxy) -> None:
    """C2: a call costs one message each way and no synchronous round trip, for the server."""
    serve(url=proxy.url)
    client.call(1)
    proxy.delay(0.4)
    assert 0.8 <= quickest(client, 3) < 1.5


def test_calls_do_not_wait_for_each_other(serve: Serve, connect: Connect, proxy: Proxy) -> None:
    """C2: on a slow network, calls in flight together take as long as one, and submit() no time."""
    serve(prefetch=20)
    client = connect(proxy.url)
    client.call(1)
    proxy.delay(0.2)
    begun = time.monotonic()
    futures = [client.submit(n) for n in range(50)]
    assert time.monotonic() - begun < LATE  # each waiting for an answer: 20 s
    assert [future.result() for future in futures] == [fib(n) for n in range(50)]
    assert time.monotonic() - begun < 10  # one after another: 20 s


# -- cut -------------------------------------------------------------------------------------------


def test_client_cut_off_under_load(serve: Serve, connect: Connect, proxy: Proxy) -> None:
    """C12: the client's connection is cut under load: each call is right, or lost at once."""
    serve(prefetch=10)
    client = connect(proxy.url)
    with Load(client, timeout=10) as load:
        for _ in range(5):
            load.wait_for_answers(40)
            proxy.cut()
        load.wait_for_answers(40)
    load.assert_no_fault(RpcConnectionLost)
    assert 0 < load.outcomes["RpcConnectionLost"] <= 5 * 4
    assert client.stats.reconnects >= 4  # a cut may meet it while it connects
    assert client.stats.in_flight == 0


def test_calls_in_flight_are_told_at_once(serve: Serve, connect: Connect, proxy: Proxy) -> None:
    """C12: a call in flight fails within a second of the client noticing, not at its deadline."""
    serve(function="harness.functions:slow")
    client = connect(proxy.url)
    client.call(1)
    futures = [client.submit(3000, timeout=50) for _ in range(3)]
    wait_until(lambda: client.stats.sent == 4, "the requests to be sent")
    proxy.cut()
    begun = time.monotonic()
    wait(futures)
    assert time.monotonic() - begun < 1 + LATE
    assert all(isinstance(future.exception(), RpcConnectionLost) for future in futures)


def test_server_cut_off_under_load(serve: Serve, client: RpcClient, proxy: Proxy) -> None:
    """C11, C18: the server's connection is cut under load: it comes back, and no call is lost."""
    server = serve(url=proxy.url, prefetch=10)
    with Load(client, timeout=25) as load:
        for cut in range(1, 4):
            load.wait_for_answers(40)
            proxy.cut()
            server.wait_for_output(rf"(next attempt in(.|\n)*){{{cut}}}")
        load.wait_for_answers(40)
    load.assert_no_fault()
    assert server.running


def test_broker_that_refuses(serve: Serve, connect: Connect, proxy: Proxy) -> None:
    """C12, C18: nobody listens: a call fails at its deadline or waits for the broker."""
    server = serve(url=proxy.url)
    client = connect(proxy.url)
    assert client.call(10) == 55
    proxy.refuse()
    begun = time.monotonic()
    with pytest.raises((RpcServerUnavailable, RpcConnectionLost)):
        client.call(11, timeout=1)
    waiting = client.submit(12, timeout=50)
    with pytest.raises(RpcServerUnavailable, match="broker"):
        client.call(13, timeout=1)
    assert time.monotonic() - begun < 2 + 2 * LATE
    server.wait_for_output(r"(next attempt in(.|\n)*){2}")
    proxy.heal()
    assert waiting.result() == fib(12)
    assert client.call(14, timeout=30) == fib(14)
    assert client.stats.reconnects >= 1


# -- silence ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_silent_broker(serve: Serve, connect: Connect, proxy: Proxy, direction: Direction) -> None:
    """C4: with a broker gone silent a call ends at its deadline; once it speaks, the next works."""
    serve()
    client = connect(proxy.url)
    assert client.call(10) == 55
    proxy.black_hole(direction)
    begun = time.monotonic()
    futures = [client.submit(n, timeout=1) for n in range(20)]
    assert time.monotonic() - begun < LATE  # each until its deadline: 20 s
    with pytest.raises(RpcTimeout):
        client.call(11, timeout=1)
    assert 1 <= time.monotonic() - begun < 1 + 2 * LATE
    assert all(isinstance(future.exception(), RpcTimeout) for future in futures)
    proxy.heal()
    assert answered(client, 12) == fib(12)
    assert client.call(13, timeout=30) == fib(13)


def answered(client: RpcClient, n: int) -> int:
    """Return the answer; a call that met the end of a lost connection is made again."""
    for _ in range(3):
        try:
            return client.call(n, timeout=30)
        except RpcConnectionLost:
            continue
    raise AssertionError("three connections lost")


def test_half_a_frame(serve: Serve, connect: Connect, proxy: Proxy) -> None:
    """C4: a broker that goes silent within a frame holds nobody past a deadline; a new connection works."""
    serve()
    client = connect(proxy.url)
    assert [client.call(10), client.call(10)] == [
        55,
        55,
    ]  # who has called before may read for itself
    allowed = 20  # bytes, of the next frame

    def first_bytes(_: object, way: Way, data: bytes) -> bytes:
        nonlocal allowed
        if way == "to_broker":
            return data
        passed, allowed = data[:allowed], max(0, allowed - len(data))
        return passed

    proxy.filter = first_bytes
    begun = time.monotonic()
    for _ in range(2):
        with pytest.raises(RpcTimeout):
            client.call(11, timeout=0.5)
        assert isinstance(client.submit(12, timeout=0.5).exception(), RpcTimeout)
    assert time.monotonic() - begun < 2.0 + 2 * LATE
    proxy.filter = None
    proxy.cut()
    wait_until(lambda: client.stats.reconnects == 1, "the client to be back", 30)
    assert client.call(13, timeout=30) == 233


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_close_with_a_silent_broker(
    backend: str, serve: Serve, queue: str, proxy: Proxy, direction: Direction
) -> None:
    """C8: close() ends, and fails what is pending, though the broker says nothing."""
    serve(function="harness.functions:slow")
    threads = set(threading.enumerate())
    client = client_class(backend)(proxy.url, queue=queue)
    assert client.call(1) == 1
    proxy.black_hole(direction)
    future = client.submit(5000, timeout=50)
    begun = time.monotonic()
    client.close()
    assert time.monotonic() - begun < CLOSE_WITHIN + LATE
    assert isinstance(future.exception(timeout=0), RpcClosed)
    wait_until(lambda: set(threading.enumerate()) <= threads, "the client's threads to end")


def test_close_while_a_silent_broker_is_connected_to(
    backend: str, queue: str, proxy: Proxy
) -> None:
    """C8: close() ends though the brokers accept a connection and say nothing in it."""
    proxy.black_hole()
    threads = set(threading.enumerate())
    client = client_class(backend)(";".join(3 * [proxy.url]), queue=queue)
    proxy.wait_for_connections(1)
    with pytest.raises(RpcServerUnavailable, match="broker"):
        client.call(1, timeout=0.5)
    begun = time.monotonic()
    client.close()
    assert time.monotonic() - begun < CLOSE_WITHIN + LATE
    wait_until(lambda: set(threading.enumerate()) <= threads, "the client's threads to end")


@pytest.mark.needs("heartbeat")
def test_heartbeat_finds_a_silent_broker(
    backend: str, serve: Serve, connect: Connect, url: str
) -> None:
    """C12, C18: without heartbeats a connection counts as lost, in time; client and server make it again."""
    within = LOST_WITHIN.get(backend, LOST_WITHIN_ELSEWHERE) + LATE
    with Proxy.for_url(url) as clients, Proxy.for_url(url) as servers:
        server = serve(url=servers.url, heartbeat=1)
        client = connect(clients.url, heartbeat=1)
        assert client.call(10) == 55
        clients.black_hole()
        servers.black_hole()
        begun = time.monotonic()
        with pytest.raises(RpcConnectionLost):
            client.call(11, timeout=40)
        server.wait_for_output("next attempt in", 30)
        assert time.monotonic() - begun < within
        waiting = client.submit(12, timeout=40)
        clients.heal()
        servers.heal()
        assert waiting.result() == fib(12)
        assert client.stats.reconnects >= 1  # a busy machine is late for a heartbeat, too
        assert server.running


def test_submit_does_not_block(backend: str, node: PrivateBroker, queue: str) -> None:
    """C4: a broker that reads nothing delays no caller; a write may be stuck for IO_TIMEOUT."""
    large: Any = "x" * 4_000_000  # more than the sockets' buffers hold
    with client_class(backend)(node.url, queue=queue) as client:
        client.submit(1)
        wait_until(lambda: client.stats.sent == 1, "the connection")
        with stopped(node.pid):
            for n in (large, large, 1, 2):
                begun = time.monotonic()
                future = client.submit(n, timeout=1)
                assert time.monotonic() - begun < IO_TIMEOUT + 0.5
                assert isinstance(future.exception(), RpcError)
                assert time.monotonic() - begun < 1 + LATE


def test_stuck_write_of_another_caller(
    backend: str, serve: Serve, node: PrivateBroker, queue: str
) -> None:
    """C3, C4: a caller whose write is stuck keeps no other from ending at its deadline."""
    serve(url=node.url)
    large: Any = "x" * 32_000_000  # more than the sockets' buffers hold

    def ended_first() -> bool:
        with (
            client_class(backend)(node.url, queue=queue, heartbeat=1) as client,
            ThreadPoolExecutor(2) as callers,
        ):
            for n in range(3):  # so that the next caller reads for itself
                assert callers.submit(client.call, n, timeout=20).result() == fib(n)
            with stopped(node.pid):
                reading = callers.submit(client.call, 4, timeout=0.5)
                wait_until(
                    lambda: client.stats.sent == 4 or reading.done(), "the request to be sent"
                )
                stuck = callers.submit(client.call, large, timeout=5)
                assert isinstance(reading.exception(), RpcError)
                return not wait([stuck], timeout=0.2).done  # which ends when its write is given up

    # a busy machine may be later than the time between the two
    assert any(ended_first() for _ in range(4))


@contextmanager
def no_further_file(pid: int) -> Iterator[None]:
    """Let a process open no file and no socket."""
    import resource

    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


@needs_limits_of_others
def test_no_file_descriptor_left(serve: Serve, connect: Connect, url: str) -> None:
    """C12, C18: while a process has no descriptor for a socket it tries again, and then goes on."""
    with Proxy.for_url(url) as clients, Proxy.for_url(url) as servers:
        server = serve(url=servers.url)
        client = connect(clients.url)
        assert client.call(10, timeout=30) == 55
        with no_further_file(server.pid), no_further_file(os.getpid()):
            clients.cut()
            servers.cut()
            server.wait_for_output("next attempt in", 30)
            with pytest.raises((RpcServerUnavailable, RpcConnectionLost)):
                client.call(11, timeout=2)
        assert client.call(12, timeout=50) == fib(12)
        assert server.running


# -- the broker ------------------------------------------------------------------------------------


def test_broker_killed(serve: Serve, connect: Connect, node: PrivateBroker) -> None:
    """C12, C18: the broker is killed under load and started again with its data; all go on."""
    server = serve(url=node.url, prefetch=10)
    client = connect(node.url)
    try:
        with Load(client, timeout=120) as load:
            load.wait_for_answers(100)
            node.kill()
            waiting = client.submit(12, timeout=200)
            server.wait_for_output("next attempt in", 30)
            node.start()
            assert waiting.exception() is None or isinstance(waiting.exception(), RpcConnectionLost)
            load.wait_for_answers(100)
    finally:
        node.start()
    load.assert_no_fault(RpcConnectionLost)
    assert load.outcomes["RpcConnectionLost"] <= 4  # each caller's, once
    assert client.stats.reconnects == 1
    assert server.running


# -- between reply and acknowledgement --------------------------------------------------------------


class Wire:
    """Notes what a server publishes and acknowledges, and may keep acknowledgements back."""

    def __init__(self, *, holds_acks: bool) -> None:
        self.seen: list[str] = []
        self.ack_held = threading.Event()
        self._holds_acks = holds_acks

    def __call__(self, method: Any) -> bool:
        """Tell whether a method may pass to the broker."""
        if isinstance(method, pamqp.commands.Basic.Publish):
            self.seen.append("reply")
        elif isinstance(method, pamqp.commands.Basic.Ack):
            self.seen.append("ack")
            if self._holds_acks:
                self.ack_held.set()
                return False
        return True


def test_reply_before_acknowledgement(serve: Serve, client: RpcClient, proxy: Proxy) -> None:
    """C14: on the wire each acknowledgement follows its reply; an error's reply as well."""
    wire = Wire(holds_acks=False)
    proxy.filter = FrameFilter(wire)
    serve(url=proxy.url)
    bad: Any = "not a number"
    for n in (10, -1, 11, bad, 12):
        wait_until(lambda: len(wire.seen) % 2 == 0, "the acknowledgement")
        assert client.submit(n).exception() is None or not isinstance(n, int) or n < 0
    wait_until(lambda: len(wire.seen) == 10, "the last acknowledgement")
    assert wire.seen == ["reply", "ack"] * 5


def test_server_killed_before_its_acknowledgement(
    serve: Serve, client: RpcClient, proxy: Proxy, tmp_path: Path
) -> None:
    """C11, C13, C14: killed between reply and acknowledgement: the client sees a duplicate."""
    log = tmp_path / "calls"
    options: dict[str, Any] = {
        "function": "harness.functions:log_call",
        "env": {"RPC_CALL_LOG": str(log)},
    }
    wire = Wire(holds_acks=True)
    proxy.filter = FrameFilter(wire)
    server = serve(url=proxy.url, **options)
    assert client.call(30, timeout=30) == 30
    assert wire.ack_held.wait(20)
    server.kill()
    serve(**options)
    wait_until(lambda: client.stats.late == 1, "the duplicate")
    assert client.call(31) == 31
    assert logged_calls(log) == [30, 30, 31]
    assert client.stats.succeeded == 2


def test_server_killed_with_requests_prefetched(
    serve: Serve, client: RpcClient, tmp_path: Path
) -> None:
    """C11: a server killed while it computes one request and holds others loses none of them."""
    log = tmp_path / "calls"
    options: dict[str, Any] = {
        "function": "harness.functions:slow_logged",
        "env": {"RPC_CALL_LOG": str(log)},
    }
    server = serve(prefetch=5, **options)
    futures = [client.submit(n, timeout=50) for n in (700, 1, 2, 3, 4)]
    wait_until(log.exists, "the server to compute")
    server.kill()
    serve(**options)
    assert [future.result() for future in futures] == [700, 1, 2, 3, 4]


# -- clocks ----------------------------------------------------------------------------------------

# Read by Python at its start, before anything else can have imported the clock.
WRONG_CLOCK = """
import datetime, os, time

SHIFT = float(os.environ["CLOCK_SHIFT"])
right, right_ns = time.time, time.time_ns
localtime, gmtime = time.localtime, time.gmtime
time.time = lambda: right() + SHIFT
time.time_ns = lambda: right_ns() + int(SHIFT * 1e9)
time.localtime = lambda seconds=None: localtime(time.time() if seconds is None else seconds)
time.gmtime = lambda seconds=None: gmtime(time.time() if seconds is None else seconds)

class Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=SHIFT)

    @classmethod
    def utcnow(cls):
        return super().utcnow() + datetime.timedelta(seconds=SHIFT)

datetime.datetime = Shifted
"""

SERVED = """
import datetime, time
minutes = lambda n: round(time.time() / 60)
dates = lambda n: round(datetime.datetime.now().timestamp() / 60)
"""


@pytest.mark.parametrize("hours", [1, -1], ids=["ahead", "behind"])
def test_wrong_clock(serve: Serve, client: RpcClient, tmp_path: Path, hours: int) -> None:
    """C5: a server whose clock is an hour wrong serves live requests, and drops dead ones."""
    (tmp_path / "sitecustomize.py").write_text(WRONG_CLOCK)
    (tmp_path / "served.py").write_text(SERVED)
    places = [str(tmp_path), str(PROJECT_ROOT), os.environ.get("PYTHONPATH", "")]
    env = {
        "PYTHONPATH": os.pathsep.join(filter(None, places)),
        "CLOCK_SHIFT": str(hours * 3600),
        "RPC_CALL_LOG": str(tmp_path / "calls"),
    }
    for function in ("minutes", "dates"):  # first: the clock is wrong indeed
        server = serve(function=f"served:{function}", env=env)
        assert abs(client.call(1) - time.time() / 60 - hours * 60) < 3
        server.terminate()
    serve(function="harness.functions:slow_logged", env=env, prefetch=3)
    slow = client.submit(900, timeout=30)
    dead = client.submit(1, timeout=0.5)
    assert [client.call(n, timeout=30) for n in (2, 3)] == [2, 3]
    assert slow.result() == 900
    assert isinstance(dead.exception(), RpcTimeout)
    assert logged_calls(tmp_path / "calls") == [900, 2, 3]
