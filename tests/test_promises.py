"""C2 to C23 to the letter, at a client: raw messages, AMQP's methods, exact counters, times, log lines."""

import itertools
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pika
import pytest

from conftest import Connect, Serve
from contract import (
    RpcAccessRefused,
    RpcClient,
    RpcClosed,
    RpcConnectionLost,
    RpcError,
    RpcServerUnavailable,
    RpcTimeout,
    Stats,
    fib,
)
from contract.limits import DEADLINE_TOLERANCE, FAIL_FAST_WITHIN, LOSS_TOLD_WITHIN
from harness.broker import PrivateBroker
from harness.functions import logged_calls
from harness.implementations import client_class
from harness.proxy import Proxy
from rpc_core.client import BaseClient
from rpc_core.limits import CLOSE_TIMEOUT, FAIL_FAST_AFTER, IO_TIMEOUT
from tests.load import LATE
from tests.methods import watched
from tests.running import NOWHERE
from tests.waiting import messages_ready, stopped, take_request, wait_until

JSON_TYPE = {"content_type": "application/json"}
ATTEMPTS = 8
TRANSIENT = (None, 1)  # AMQP's delivery_mode; 2 is persistent


@pytest.fixture
def proxy(url: str) -> Iterator[Proxy]:
    """A proxy to the run's broker."""
    with Proxy.for_url(url) as between:
        yield between


def best(attempt: Callable[[], float], limit: float) -> None:
    """Fail unless an attempt takes no longer than the limit: what an idle machine can is what the code can.

    Whatever is late by itself is late each time.
    """
    times = []
    for _ in range(ATTEMPTS):
        times.append(attempt())
        if times[-1] <= limit:
            return
    raise AssertionError(f"{min(times):.3f} s at best, not {limit:g}")


def seconds_until(ends: Callable[[], object], *errors: type[BaseException]) -> float:
    """Return how long it takes until one of these errors is raised."""
    begun = time.monotonic()
    with pytest.raises(errors):
        ends()
    return time.monotonic() - begun


# -- what a client sends -----------------------------------------------------------------------------------


def test_methods_of_a_client(serve: Serve, connect: Connect, url: str, queue: str) -> None:
    """C2: one callback queue, declared once; then a call is one publish, and no other method is sent."""
    serve()
    with watched(url) as (proxy, methods):
        client = connect(proxy.url)
        assert client.call(1) == 1
        declared = methods.of("Queue.Declare")
        assert [each.queue for each in declared] == [queue, ""]
        assert len(methods.of("Basic.Consume")) == 1
        before = len(methods.sent)
        assert [client.call(n) for n in range(10)] == [fib(n) for n in range(10)]
        assert [future.result() for future in [client.submit(n) for n in range(10)]] == [
            fib(n) for n in range(10)
        ]
        assert methods.names[before:] == ["Basic.Publish"] * 20
        assert {each.routing_key for each in methods.of("Basic.Publish")} == {queue}


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_options_of_a_client_reach_the_broker(
    connect: Connect, url: str, queue: str, queue_type: str
) -> None:
    """C16, C23: heartbeat, queue and its type reach the broker; the callback queue is exclusive."""
    with watched(url) as (proxy, methods):
        client = connect(proxy.url, heartbeat=7, queue_type=queue_type)
        client.submit(1)
        wait_until(lambda: methods.of("Basic.Publish"), "the request to be sent")
        [tuned] = methods.of("Connection.TuneOk")
        assert tuned.heartbeat == 7
        requests, replies = methods.of("Queue.Declare")
        assert (requests.queue, requests.durable, requests.exclusive) == (queue, True, False)
        assert not requests.auto_delete
        assert requests.arguments == {"x-queue-type": queue_type}
        assert (replies.queue, replies.durable, replies.exclusive) == ("", False, True)
        [consumed] = methods.of("Basic.Consume")
        assert consumed.no_ack
        [published] = methods.of("Basic.Publish")
        assert (published.exchange, published.mandatory) == ("", True)


def test_expiration(connect: Connect, queue: str, channel: Any) -> None:
    """C4, C5: a request carries its timeout in milliseconds: its own, else the client's, else ten seconds."""
    for client, timeout, milliseconds in (
        (connect(), None, 10_000),
        (connect(timeout=7), None, 7_000),
        (connect(timeout=7), 3, 3_000),
        (connect(timeout=7), 90, 90_000),
    ):
        begun = time.monotonic()
        client.submit(1, timeout=timeout)
        method, properties, _ = take_request(client, channel, queue)
        channel.basic_ack(method.delivery_tag)
        spent = (time.monotonic() - begun) * 1000
        assert milliseconds - spent - 1 <= int(properties.expiration) <= milliseconds


def test_expiration_of_a_call_that_waited(
    connect: Connect, proxy: Proxy, queue: str, channel: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """C5: what a call has spent waiting for a connection is no longer in its request."""
    proxy.refuse()
    client = connect(proxy.url)
    client.submit(1, timeout=20)
    begun = time.monotonic()
    wait_until(lambda: caplog.text.count("next attempt in") >= 3, "three attempts")
    spent = time.monotonic() - begun
    proxy.heal()
    _, properties, _ = take_request(client, channel, queue)
    assert spent > 0.5
    assert int(properties.expiration) <= (20 - spent) * 1000


@pytest.mark.usefixtures("on_rpc_core")
def test_requests_are_transient(client: RpcClient, queue: str, channel: Any) -> None:
    """C23: the queue is durable, the requests in it are not: the broker writes none to disk."""
    client.submit(1)
    _, properties, _ = take_request(client, channel, queue)
    assert properties.delivery_mode in TRANSIENT


def test_calls_of_two_clients(connect: Connect, queue: str, channel: Any) -> None:
    """C2: each client has a callback queue of its own, and ids that no other gives out."""
    seen = set()
    for client in (connect(), connect()):
        for sent in (1, 2):
            client.submit(1)
            wait_until(lambda client=client, sent=sent: client.stats.sent == sent, "the request")  # type: ignore[misc]
            method, properties, _ = take_request(client, channel, queue)
            channel.basic_ack(method.delivery_tag)
            seen.add((properties.reply_to, properties.correlation_id))
    assert len({callback_queue for callback_queue, _ in seen}) == 2
    assert len({id_ for _, id_ in seen}) == 4


def test_cancelled_call_is_not_sent(
    connect: Connect, proxy: Proxy, queue: str, channel: Any
) -> None:
    """C7: a call that is cancelled while it waits for a connection is never sent."""
    proxy.refuse()
    client = connect(proxy.url)
    cancelled, kept = client.submit(1), client.submit(2)
    assert cancelled.cancel()
    proxy.heal()
    _, _, body = take_request(client, channel, queue)
    assert b"2" in body
    assert client.stats == Stats(sent=1, in_flight=1)
    assert messages_ready(channel, queue) == 0
    kept.cancel()
    assert client.stats == Stats(sent=1)


# -- times that are kept -----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["call", "submit"])
def test_deadline_to_a_tenth_of_a_second(client: RpcClient, way: str) -> None:
    """C4: a call ends at its deadline, not before, and at most 0.1 s late, whether anyone waits or not."""

    def lateness() -> float:
        if way == "call":
            late = seconds_until(lambda: client.call(1, timeout=0.3), RpcTimeout) - 0.3
        else:
            ended = threading.Event()
            begun = time.monotonic()
            client.submit(1, timeout=0.3).add_done_callback(lambda _: ended.set())
            assert ended.wait(20)
            late = time.monotonic() - begun - 0.3
        assert late >= 0
        return late

    best(lateness, DEADLINE_TOLERANCE)


def test_fail_fast_within_a_second(connect: Connect) -> None:
    """C6: with fail_fast and no server a call fails within a second, whatever its deadline."""
    client = connect(fail_fast=True)
    best(
        lambda: seconds_until(lambda: client.call(1, timeout=30), RpcServerUnavailable),
        FAIL_FAST_WITHIN,
    )


def test_fail_fast_without_a_broker(connect: Connect) -> None:
    """C6: with fail_fast and no broker a call fails within a second too, and says what it lacked."""
    client = connect(NOWHERE, fail_fast=True)

    with pytest.raises(RpcServerUnavailable, match="the broker could not be reached"):
        client.call(1, timeout=30)
    best(
        lambda: seconds_until(lambda: client.call(1, timeout=30), RpcServerUnavailable),
        FAIL_FAST_WITHIN,
    )


@pytest.mark.parametrize("fail_fast", [True, False], ids=["fail_fast", "deadline"])
def test_any_broker_can_be_asked(connect: Connect, url: str, fail_fast: bool) -> None:
    """C6: with a dead address before the live one it is known, too, that nobody serves."""
    client = connect(f"{NOWHERE};{url}", fail_fast=fail_fast)

    def told() -> bool:
        with pytest.raises(RpcTimeout) as caught:
            client.call(1, timeout=30 if fail_fast else 0.6)
        return str(caught.value) == "no server consumes the request queue"

    assert any(told() for _ in range(ATTEMPTS))


def test_nobody_is_asked_too_late(connect: Connect, proxy: Proxy) -> None:
    """C6: after a question about consumers was lost with its connection, the next is asked, and in time."""
    client = connect(proxy.url, fail_fast=True)
    with pytest.raises(RpcServerUnavailable):
        client.call(1, timeout=30)  # connects
    proxy.black_hole()
    lost = client.submit(1, timeout=30)
    asks = time.monotonic() + FAIL_FAST_AFTER + 0.2
    wait_until(lambda: time.monotonic() > asks, "the question to be sent")
    proxy.cut()
    assert isinstance(lost.exception(), RpcConnectionLost)
    proxy.heal()
    wait_until(lambda: client.stats.reconnects >= 1, "the client to be back", 30)

    def attempt() -> float:
        return seconds_until(lambda: client.call(1, timeout=30), RpcServerUnavailable)

    best(attempt, FAIL_FAST_WITHIN)


def test_server_that_leaves_after_the_first_look(serve: Serve, connect: Connect, url: str) -> None:
    """C6: a fail_fast call whose only server leaves after the first look is told so at its deadline."""
    with watched(url) as (proxy, methods):
        client = connect(proxy.url, fail_fast=True)

        def told() -> bool:
            server = serve(function="harness.functions:slow")
            assert client.call(1, timeout=20) == 1
            looks = len(methods.of("Queue.Declare"))
            future = client.submit(9000, timeout=2)
            wait_until(lambda: len(methods.of("Queue.Declare")) > looks, "the first look")
            server.kill()
            assert isinstance(future.exception(), RpcTimeout)
            return isinstance(future.exception(), RpcServerUnavailable)

        assert any(told() for _ in range(4))


def test_loss_is_told_at_once(serve: Serve, connect: Connect, proxy: Proxy) -> None:
    """C12: a call in flight fails within a second of the client noticing, far from its deadline."""
    serve(function="harness.functions:slow", concurrency=ATTEMPTS)
    client = connect(proxy.url)
    lost = 0

    def attempt() -> float:
        nonlocal lost
        reconnects = client.stats.reconnects
        assert client.call(1, timeout=30) == 1
        sent = client.stats.sent
        with ThreadPoolExecutor(1) as pool:
            calling = pool.submit(client.call, 9000, timeout=50)
            wait_until(lambda: client.stats.sent > sent, "the request to be sent")
            submitted = client.submit(9001, timeout=50)
            wait_until(lambda: client.stats.sent > sent + 1, "the request to be sent")
            proxy.cut()
            begun = time.monotonic()
            errors = [calling.exception(), submitted.exception()]
        assert [type(error) for error in errors] == [RpcConnectionLost] * 2
        took = time.monotonic() - begun
        lost += 2
        wait_until(lambda: client.stats.reconnects > reconnects, "the client to be back")
        assert client.stats.failed == lost
        assert client.stats.in_flight == 0
        return took

    best(attempt, LOSS_TOLD_WITHIN)


def test_building_a_client_does_not_wait(backend: str, proxy: Proxy, queue: str) -> None:
    """C12: a client is built at once, whatever its broker does: refuse, say nothing, or not be there."""
    proxy.black_hole()

    def attempt() -> float:
        begun = time.monotonic()
        clients = [client_class(backend)(url, queue=queue) for url in (proxy.url, NOWHERE)]
        took = time.monotonic() - begun
        proxy.cut()
        for client in clients:
            client.close()
        return took

    best(attempt, 0.2)


def test_close_between_two_attempts(
    backend: str, queue: str, caplog: pytest.LogCaptureFixture
) -> None:
    """C8: close() does not wait out the pause before the next attempt to connect."""

    def attempt() -> float:
        caplog.clear()
        client = client_class(backend)(NOWHERE, queue=queue)
        wait_until(lambda: "next attempt in 0.50 s" in caplog.text, "the second pause")
        begun = time.monotonic()
        client.close()
        return time.monotonic() - begun

    best(attempt, 0.2)


# -- writes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["call", "submit"])
def test_write_that_fails_after_the_broker_had_it(
    backend: str, url: str, queue: str, channel: Any, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """C12: a request whose write fails may have reached the broker: its call is lost, and it is not sent again."""
    client_type: Any = client_class(backend)
    if not issubclass(client_type, BaseClient):
        pytest.skip("not on rpc_core: its writes cannot be made to fail from here")
    link: Any = client_type.link
    publish = link.publish
    failures = iter([ConnectionResetError("after the last byte")])

    def fails_once(self: Any, call: Any) -> None:
        publish(self, call)
        for error in failures:
            self.read(wait=False)  # which sends what a library has buffered
            wait_until(
                lambda: messages_ready(channel, queue) == 1, "the request to be in the queue"
            )
            raise error

    with client_type(url, queue=queue) as client:
        client.submit(0)
        method, _, _ = take_request(client, channel, queue)  # it is connected then
        channel.basic_ack(method.delivery_tag)
        monkeypatch.setattr(link, "publish", fails_once)
        with pytest.raises(RpcConnectionLost, match="after the last byte"):
            client.call(7) if way == "call" else client.submit(7).result()
        wait_until(lambda: client.stats.reconnects == 1, "the client to be back")
        client.submit(8)
        wait_until(
            lambda: messages_ready(channel, queue) >= 2, "the next request to be in the queue"
        )
        bodies = [channel.basic_get(queue, auto_ack=True)[2] for _ in range(3)]
        assert [b"7" in (body or b"") for body in bodies] == [True, False, False]
        assert bodies[2] is None


def test_stuck_write_is_given_up(
    backend: str, serve: Serve, private_broker: PrivateBroker, queue: str
) -> None:
    """C4, C12: a caller whose own write is stuck is free after IO_TIMEOUT; the connection is lost."""
    large: Any = "x" * 32_000_000  # more than the sockets' buffers hold
    serve()
    with client_class(backend)(private_broker.url, queue=queue) as client:
        for n in range(3):  # so that the next caller writes by itself
            assert client.call(n, timeout=20) == fib(n)
        with ThreadPoolExecutor(1) as pool, stopped(private_broker.pid):
            begun = time.monotonic()
            stuck = pool.submit(client.call, large, timeout=0.5)
            # long before the broker goes on: only a limit of the client's own can end this
            assert isinstance(stuck.exception(timeout=0.5 + IO_TIMEOUT + LATE), RpcError)
            assert time.monotonic() - begun >= 0.5
            closing = threading.Thread(target=client.close)
            closing.start()
            closing.join(IO_TIMEOUT + CLOSE_TIMEOUT + LATE)
            assert not closing.is_alive()  # it waits for the thread whose write is stuck


@pytest.mark.usefixtures("on_rpc_core")
@pytest.mark.parametrize("way", ["call", "submit"])
def test_stuck_write_delays_no_deadline(
    backend: str, serve: Serve, private_broker: PrivateBroker, queue: str, way: str
) -> None:
    """C4: a call whose write is stuck is on time; but for `call` on py-amqp, late by IO_TIMEOUT at most."""
    large: Any = "x" * 8_000_000  # more than the sockets' buffers hold
    serve()

    def lateness() -> float:
        with client_class(backend)(private_broker.url, queue=queue) as client:
            for n in range(3):  # so that the next caller writes by itself
                assert client.call(n, timeout=20) == fib(n)

            def ask() -> object:
                if way == "call":
                    return client.call(large, timeout=1)
                return client.submit(large, timeout=1).result()

            with stopped(private_broker.pid):
                late = seconds_until(ask, RpcError) - 1
                assert client.stats.sent == 4
                client.close()
        return late

    on_time = 0.5  # seconds: 8 MB take time to encode and to copy
    best(lateness, on_time if way == "submit" or backend == "raw_pika" else on_time + IO_TIMEOUT)


@pytest.mark.usefixtures("on_rpc_core")
def test_close_waits_little_for_a_silent_broker(
    backend: str, proxy: Proxy, url: str, queue: str
) -> None:
    """C8: close() waits for a broker's word for CLOSE_TIMEOUT, and ends then."""

    def attempt() -> float:
        client = client_class(backend)(proxy.url, queue=queue)
        client.submit(1)
        wait_until(lambda: client.stats.sent == 1, "the request to be sent")
        proxy.black_hole()
        begun = time.monotonic()
        client.close()
        took = time.monotonic() - begun
        proxy.heal()
        return took

    best(attempt, CLOSE_TIMEOUT + 0.5)


# -- what becomes of calls, in numbers ---------------------------------------------------------------------


def test_counters_after_a_close(serve: Serve, client: RpcClient) -> None:
    """C8, C22: calls that close() fails are counted as failed; every call is in one counter."""
    serve(function="harness.functions:slow")
    assert client.call(1) == 1
    futures = [client.submit(5000) for _ in range(3)]
    cancelled = client.submit(1)
    wait_until(lambda: client.stats.sent == 5, "the requests to be sent")
    cancelled.cancel()
    client.close()
    assert {type(future.exception()) for future in futures} == {RpcClosed}
    assert client.stats == Stats(sent=5, succeeded=1, failed=3)
    with pytest.raises(RpcClosed):
        client.call(1)
    assert client.stats == Stats(sent=5, succeeded=1, failed=3)


def test_counters_after_a_loss(serve: Serve, connect: Connect, proxy: Proxy) -> None:
    """C12, C22: calls lost with a connection are failed; the next one is a reconnect, made without a call."""
    serve(function="harness.functions:slow", concurrency=4)
    client = connect(proxy.url)
    assert client.call(1) == 1
    futures = [client.submit(3000) for _ in range(2)]
    wait_until(lambda: client.stats.sent == 3, "the requests to be sent")
    proxy.cut()
    assert {type(future.exception()) for future in futures} == {RpcConnectionLost}
    assert client.stats._replace(reconnects=0) == Stats(sent=3, succeeded=1, failed=2)
    wait_until(lambda: client.stats.reconnects == 1, "the client to be back")
    assert client.call(2) == 2
    assert client.stats == Stats(sent=4, succeeded=2, failed=2, reconnects=1)


def test_counters_after_a_refusal(connect: Connect, url: str) -> None:
    """C20, C22: calls that a refusal ends are failed, and were not sent; nothing is late or in flight."""
    refusing = url.replace("guest:guest", "guest:wrong")
    client = connect(refusing)
    for calls in (1, 2):
        with pytest.raises(RpcAccessRefused):
            client.call(1, timeout=30)
        assert client.stats == Stats(failed=calls)


def test_counters_of_replies(serve: Serve, client: RpcClient, queue: str, channel: Any) -> None:
    """C13, C22: each reply that is nobody's has its own counter; one that contradicts itself is no result."""
    ended, waiting = client.submit(20, timeout=50), client.submit(30, timeout=50)
    taken = [take_request(client, channel, queue)]
    wait_until(lambda: client.stats.sent == 2, "both requests to be sent")
    taken.append(take_request(client, channel, queue))
    callback_queue = taken[0][1].reply_to
    old, own = (properties.correlation_id for _, properties, _ in taken)

    def reply(body: bytes, **properties: Any) -> None:
        channel.basic_publish("", callback_queue, body, pika.BasicProperties(**properties))

    ended.cancel()
    result = json.dumps(
        {"task_id": old, "status": "SUCCESS", "result": 7, "traceback": None}
    ).encode()
    # in the wire format of either kind: one of the two is malformed, and the other late
    for body in (b"7", result):
        reply(body, correlation_id=old, **JSON_TYPE)
    wait_until(
        lambda: client.stats == Stats(sent=2, late=1, malformed=1, in_flight=1), "the late one"
    )
    right = b"7" if client.stats.late and not is_task(taken[0][2]) else result
    for strange in (None, "never given out", f"{own}0", own.upper(), "1"):
        reply(right, correlation_id=strange, **JSON_TYPE)
    wait_until(lambda: client.stats.unknown == 5, "those with strange ids")
    contradictions: list[tuple[bytes, dict[str, str]]] = [
        (b"7", {"type": "error", **JSON_TYPE}),
        (b"7", {"type": "result", **JSON_TYPE}) if not is_task(taken[0][2]) else (b"7", JSON_TYPE),
        (right, {"content_type": "text/html"}),
        *((json.dumps({"status": status, "result": 7}).encode(), JSON_TYPE) for status in STATES),
        (json.dumps({"result": 7}).encode(), JSON_TYPE),
    ]
    for body, properties in contradictions:
        reply(body, correlation_id=own, **properties)
    malformed = 1 + len(contradictions)
    wait_until(lambda: client.stats.malformed == malformed, "the malformed ones to be counted")
    assert client.stats == Stats(sent=2, late=1, unknown=5, malformed=malformed, in_flight=1)
    assert not waiting.done()
    channel.basic_nack(taken[1][0].delivery_tag, requeue=True)
    serve()
    assert waiting.result() == 832040


STATES = ["FAILURE", "success", "OTHER", None]


def is_task(body: bytes) -> bool:
    """Whether this is a request in a task protocol: arguments, keywords, and more."""
    return isinstance(json.loads(body), list)


def test_replies_are_acknowledged(
    serve: Serve, client: RpcClient, private_broker: PrivateBroker
) -> None:
    """C21: the broker keeps no reply that has reached its client."""
    serve(prefetch=20)
    wait([client.submit(n) for n in range(100)])
    each = "Q <- rabbit_amqqueue:list(), {messages, N} <- rabbit_amqqueue:info(Q, [messages])"

    def kept() -> int:  # in all queues, ready or unacknowledged
        return int(private_broker.evaluate(f"lists:sum([N || {each}])"))

    wait_until(lambda: kept() < 100, "nothing to be kept")


# -- brokers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "order", list(itertools.permutations(["dead", "refusing", "live"])), ids="-".join
)
def test_addresses_of_each_kind(connect: Connect, url: str, order: tuple[str, ...]) -> None:
    """C12, C20: of a dead, a refusing and a live broker the first that is not dead decides, wherever it stands."""
    urls = {"dead": NOWHERE, "refusing": url.replace("guest:guest", "guest:wrong"), "live": url}
    client = connect(";".join(urls[kind] for kind in order))
    if order.index("refusing") < order.index("live"):
        with pytest.raises(RpcAccessRefused, match="refused"):
            client.call(10, timeout=20)
    else:
        client.submit(10)
        wait_until(lambda: client.stats.sent == 1, "the request to be sent")


def test_third_address(serve: Serve, connect: Connect, url: str) -> None:
    """C12, C18: two dead addresses before the live one are passed over, by client and server."""
    several = f"{NOWHERE};{NOWHERE};{url}"
    serve(url=several)
    assert connect(several).call(10) == 55


def test_silent_address(serve: Serve, connect: Connect, proxy: Proxy, url: str) -> None:
    """C12, C18: an address that accepts and then says nothing is passed over, by client and server."""
    proxy.black_hole()
    several = f"{proxy.url};{url}"
    future = connect(several).submit(10, timeout=25)
    serve(url=several)  # meanwhile: both wait for the silent one
    assert future.result() == 55


def delays(text: str) -> list[float]:
    """Return the delays that a log tells, in order."""
    return [float(delay) for delay in re.findall(r"next attempt in (\S+) s", text)]


def test_backoff_of_client_and_server(
    serve: Serve, connect: Connect, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """C12, C18: the pauses in the log double from 0.25 s, end at 2 s, and begin again after a connection."""
    growing = [0.25, 0.5, 1.0, 2.0, 2.0]
    with Proxy.for_url(url) as proxy:
        server = serve(url=proxy.url)
        client = connect(proxy.url)
        assert client.call(10) == 55
        begun = time.monotonic()
        proxy.refuse()
        server.wait_for_output(r"(next attempt in(.|\n)*){5}", 30)
        wait_until(lambda: len(delays(caplog.text)) >= 5, "the client's fifth attempt")
        assert time.monotonic() - begun >= sum(growing[:4])  # they were waited, not only told
        assert delays(server.output)[:5] == growing
        assert delays(caplog.text)[:5] == growing
        proxy.heal()
        server.wait_for_output(r"(Awaiting RPC requests(.|\n)*){2}", 30)
        wait_until(lambda: client.stats.reconnects == 1, "the client to be back")
        before = len(delays(server.output)), len(delays(caplog.text))
        proxy.cut()
        server.wait_for_output(rf"(next attempt in(.|\n)*){{{before[0] + 1}}}", 30)
        wait_until(lambda: len(delays(caplog.text)) > before[1], "the client's attempt")
        assert delays(server.output)[before[0]] == 0.25
        assert delays(caplog.text)[before[1]] == 0.25


def test_calls_of_a_server_that_was_lost(
    serve: Serve, connect: Connect, proxy: Proxy, tmp_path: Any
) -> None:
    """C12: a call made during an outage is sent once, when the broker is back; one that was lost never again."""
    log = tmp_path / "calls"
    server = serve(function="harness.functions:slow_logged", env={"RPC_CALL_LOG": str(log)})
    client = connect(proxy.url)
    lost = client.submit(400, timeout=20)
    wait_until(lambda: logged_calls(log) == [400], "the server to compute")
    proxy.refuse()
    assert isinstance(lost.exception(), RpcConnectionLost)
    waiting = [client.submit(n, timeout=20) for n in (1, 2)]
    proxy.heal()
    assert [future.result() for future in waiting] == [1, 2]
    assert client.call(3) == 3
    assert logged_calls(log) == [400, 1, 2, 3]
    assert server.running
