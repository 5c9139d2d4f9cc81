"""C21 to C23: what is left after much use, what is counted, and how the request queue is declared."""

import gc
import os
import re
import threading
from collections import Counter
from concurrent.futures import wait
from contextlib import suppress
from typing import Any

import psutil
import pytest

from conftest import Connect, OpenBroker, Serve
from contract import RpcAccessRefused, RpcClient, RpcTimeout, Stats
from harness.broker import PrivateBroker, binary
from harness.functions import logged_calls
from harness.implementations import client_class
from harness.proxy import Proxy
from tests.waiting import messages_ready, take_request, wait_until, wait_until_no_more

SELF = psutil.Process(os.getpid())
ROUNDS, CALLS = 5, 2000
OBJECTS = 15_000  # more than before, after 8,000 calls; a call that is kept takes at least 8
RESIDENT = 30_000_000  # bytes


def in_process() -> dict[str, int]:
    """Return how many threads and file descriptors this process has."""
    gc.collect()
    return {"threads": threading.active_count(), "files": SELF.num_fds()}


def alive() -> Counter[str]:
    """Return how many objects of each type Python's garbage collector tracks."""
    gc.collect()
    return Counter(type(each).__qualname__ for each in gc.get_objects())


# -- C21 -------------------------------------------------------------------------------------------


@pytest.mark.timeout(240)
def test_timed_out_calls_leave_nothing(
    client: RpcClient, queue: str, channel: Any, open_broker: OpenBroker
) -> None:
    """C21: after 10,000 calls that timed out nothing has grown."""

    def round_of_calls() -> None:
        futures = [client.submit(n % 100, timeout=0.4) for n in range(CALLS)]
        wait(futures)
        assert all(isinstance(future.exception(), RpcTimeout) for future in futures)

    first = client.submit(1, timeout=50)
    take_request(client, channel, queue)  # else on a busy machine it connects after `before`
    first.cancel()
    round_of_calls()
    before, before_in_broker = in_process(), open_broker.counts()
    objects, resident = alive(), SELF.memory_info().rss
    for _ in range(ROUNDS - 1):
        round_of_calls()

    def grown() -> Counter[str]:
        return alive() - objects

    with suppress(AssertionError):  # the next line says of what there is more
        wait_until(lambda: grown().total() < OBJECTS, "few more objects", timeout=60)
    assert grown().total() < OBJECTS, grown().most_common(20)
    assert SELF.memory_info().rss - resident < RESIDENT
    wait_until_no_more(in_process, before)
    wait_until_no_more(open_broker.counts, before_in_broker)
    assert client.stats.in_flight == 0
    assert client.stats.timed_out == ROUNDS * CALLS

    wait_until(lambda: messages_ready(channel, queue) == 0, "the queue to be empty")


@pytest.mark.timeout(240)
def test_opening_and_closing_leaves_nothing(
    backend: str, serve: Serve, url: str, queue: str, open_broker: OpenBroker
) -> None:
    """C21: after 100 clients were opened and closed nothing of them is left."""
    serve()

    def use() -> None:
        with client_class(backend)(url, queue=queue) as client:
            assert client.call(10, timeout=30) == 55

    use()
    before, before_in_broker = in_process(), open_broker.counts()
    for _ in range(100):
        use()
    wait_until_no_more(in_process, before)
    wait_until_no_more(open_broker.counts, before_in_broker, 30)


@pytest.mark.timeout(240)
def test_reconnecting_leaves_nothing(
    serve: Serve, connect: Connect, url: str, open_broker: OpenBroker
) -> None:
    """C21: after 20 lost connections client and server have what they had before."""
    with Proxy.for_url(url) as clients, Proxy.for_url(url) as servers:
        server = serve(url=servers.url)
        client = connect(clients.url)
        assert client.call(10) == 55

        def lose_connections() -> None:
            reconnects = client.stats.reconnects
            ready = server.output.count("Awaiting")
            clients.cut()
            servers.cut()
            wait_until(lambda: client.stats.reconnects > reconnects, "the client to be back", 30)
            wait_until(lambda: server.output.count("Awaiting") > ready, "the server", 30)
            assert client.call(10, timeout=30) == 55

        lose_connections()
        process = psutil.Process(server.pid)

        def in_server() -> dict[str, int]:
            return {"files": process.num_fds(), "threads": process.num_threads()}

        before, before_in_broker = in_process(), open_broker.counts()
        before_in_server = in_server()
        for _ in range(20):
            lose_connections()
        wait_until_no_more(in_process, before)
        wait_until_no_more(open_broker.counts, before_in_broker)
        wait_until_no_more(in_server, before_in_server)
        assert client.stats.reconnects == 21


# -- C22 -------------------------------------------------------------------------------------------


def test_counters(serve: Serve, client: RpcClient) -> None:
    """C22: the counters have the contract's names, are integers, and add up."""
    assert client.stats._fields == Stats._fields
    assert client.stats == Stats()
    serve(function="harness.functions:slow")
    bad: Any = "x"
    ends: Counter[str] = Counter()
    futures = [client.submit(n) for n in (1, 2, 3, bad, -1)]
    wait(futures)
    for future in futures:
        ends["failed" if future.exception() else "succeeded"] += 1
    slow = client.submit(1500, timeout=1)
    assert isinstance(slow.exception(), RpcTimeout)
    cancelled = client.submit(1)
    cancelled.cancel()
    wait_until(lambda: client.stats.late >= 1, "the late reply")
    stats = client.stats
    assert all(type(value) is int for value in stats)
    assert (stats.succeeded, stats.failed, stats.timed_out) == (3, 2, 1)
    assert ends == {"succeeded": 3, "failed": 2}
    assert stats.sent in (6, 7)
    assert (stats.unknown, stats.malformed, stats.reconnects, stats.in_flight) == (0, 0, 0, 0)
    assert stats is not client.stats or stats == client.stats  # a snapshot


# -- C23 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
@pytest.mark.parametrize("first", ["client", "server"])
def test_request_queue(
    serve: Serve,
    connect: Connect,
    queue: str,
    channel: Any,
    open_broker: OpenBroker,
    queue_type: str,
    first: str,
) -> None:
    """C23: the request queue is durable, classic or quorum, whoever declares it first."""
    before = open_broker.queue_names()
    options = {"queue_type": queue_type} if queue_type == "quorum" else {}
    if first == "server":
        serve(**options)
    client = connect(**options)
    future = client.submit(10, timeout=50)
    if first == "client":
        wait_until(lambda: client.stats.sent == 1, "the request to be sent")
        serve(**options)
    assert future.result() == 55
    assert [future.result() for future in [client.submit(n) for n in range(20)]][:3] == [0, 1, 1]
    names = open_broker.queue_names()
    # who declares a queue again that is not durable, or has other arguments, is refused
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": queue_type})
    assert len(names - before) == 2, names - before  # this one, and the client's


@pytest.mark.timeout(240)
def test_delivery_limit(
    serve: Serve, connect: Connect, queue: str, private_broker: PrivateBroker, tmp_path: Any
) -> None:
    """C23: on a quorum queue a request that kills each server is dropped at the broker's delivery limit.

    RabbitMQ 4 has a limit of 20; here, and for RabbitMQ 3, a policy says it.
    """
    limit = 3
    name, pattern, key, queues = map(binary, (queue, f"^{queue}$", "delivery-limit", "queues"))
    policy = f"<<$/>>, {name}, {pattern}, [{{{key}, {limit}}}], 0, {queues}, <<>>"
    private_broker.evaluate(f"ok = rabbit_policy:set({policy})")
    client = connect(queue_type="quorum")
    log = tmp_path / "calls"
    poison = client.submit(666, timeout=100)
    good = client.submit(3, timeout=100)
    wait_until(lambda: client.stats.sent == 2, "the requests to be sent")
    for _ in range(limit + 3):
        try:
            server = serve(
                function="tests.poison:log_and_kill",
                queue_type="quorum",
                env={"RPC_CALL_LOG": str(log)},
            )
        except RuntimeError:
            continue  # it was killed before it could say that it is ready
        wait_until(lambda: good.done() or not server.running, "an answer, or an end", 30)  # noqa: B023
        if good.done():
            break
    assert good.result() == 3
    assert logged_calls(log).count(666) == limit + 1
    assert not poison.done()
    poison.cancel()


AS_IT_IS: dict[str, dict[str, Any]] = {
    "tutorial since 2026-03": {"x-queue-type": "quorum"},
    "a delivery limit": {"x-queue-type": "quorum", "x-delivery-limit": 5},
    "tutorial with durable=True": {},
    "several": {
        "x-message-ttl": 60_000,
        "x-dead-letter-exchange": "somebody's 'own'",
        "x-single-active-consumer": True,
        "x-max-length": 1000,
    },
}


@pytest.mark.parametrize("arguments", AS_IT_IS.values(), ids=list(AS_IT_IS))
def test_queue_as_it_is(
    serve: Serve, connect: Connect, queue: str, channel: Any, arguments: dict[str, Any]
) -> None:
    """C23: a durable queue that exists is used as it is, whatever its type and arguments, and left so."""
    channel.queue_declare(queue, durable=True, arguments=arguments)
    serve()
    client = connect()
    assert client.call(10, timeout=20) == 55
    with pytest.raises(RpcTimeout):  # which declares the queue again, to count its consumers
        client.call(11, timeout=0.001)
    assert client.call(12) == 144
    channel.queue_declare(queue, durable=True, arguments=arguments)
    assert client.stats.reconnects == 0


def test_queue_made_again_otherwise(
    connect: Connect, serve: Serve, queue: str, channel: Any
) -> None:
    """C23: a queue that is deleted, and made again by somebody else, is used as it is then."""
    serve()
    client = connect()
    assert client.call(10, timeout=20) == 55
    channel.queue_delete(queue)
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
    assert client.call(11, timeout=20) == 89
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})


@pytest.mark.parametrize(
    ("asked", "exists"),
    [
        ("quorum", {"x-queue-type": "classic"}),
        ("classic", {"x-queue-type": "quorum"}),
        ("quorum", {"x-message-ttl": 60_000}),
        (None, {"x-queue-type": "stream"}),
    ],
    ids=["classic", "quorum", "no type", "stream"],
)
def test_another_queue_type(
    serve: Serve,
    connect: Connect,
    queue: str,
    channel: Any,
    asked: str | None,
    exists: dict[str, Any],
) -> None:
    """C23: a queue of another type than was asked for is refused by client and server, which name both."""
    channel.queue_declare(queue, durable=True, arguments=exists)
    # RabbitMQ 4 says of a queue without a type what it is by default
    is_ = f"'{exists['x-queue-type']}'" if "x-queue-type" in exists else "(none|'classic')"
    said = f"received .*'{asked or 'classic'}'.* but current is {is_}"
    with pytest.raises(RpcAccessRefused) as caught:
        connect(queue_type=asked).call(1, timeout=30)
    assert re.search(said, str(caught.value))
    with pytest.raises(RuntimeError, match=said):
        serve(queue_type=asked)


def test_queue_that_is_not_durable(
    serve: Serve, connect: Connect, queue: str, channel: Any
) -> None:
    """C23: a queue that is not durable is refused by client and server, which say so, and left as it is."""
    channel.queue_declare(queue, durable=False)
    said = "'durable' for queue .* received 'true' but current is 'false'"
    with pytest.raises(RpcAccessRefused) as caught:
        connect().call(1, timeout=30)
    assert re.search(said, str(caught.value))
    with pytest.raises(RuntimeError, match=said):
        serve()
    channel.queue_declare(queue, durable=False)


@pytest.mark.usefixtures("on_rpc_core")
def test_queue_with_a_long_name(
    serve: Serve, connect: Connect, queue: str, channel: Any, remover: Any
) -> None:
    """C23: where the broker's refusal has no room for what there is, a queue declared otherwise is refused."""
    name = queue.ljust(200, "x")
    channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
    try:
        with pytest.raises(RpcAccessRefused, match="inequivalent arg"):
            connect(queue=name).call(1, timeout=30)
        with pytest.raises(RuntimeError, match="inequivalent arg"):
            serve(queue=name)
    finally:
        remover.delete(name)
