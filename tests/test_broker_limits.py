"""C6, C12, C18, C21: what a broker does not allow: how many connections, how large, how long, how seldom."""

import threading
from pathlib import Path
from typing import Any

import pytest

from conftest import Connect, OpenBroker, Serve
from contract import RpcConnectionLost
from harness.broker import PrivateBroker
from harness.functions import logged_calls
from tests.poison import refuse_thread
from tests.settings import settings
from tests.waiting import call_until_served, idle, wait_until


def test_nobody_can_be_asked(serve: Serve, connect: Connect, open_broker: OpenBroker) -> None:
    """C6: that the broker takes no further connection does not mean that nobody serves."""
    serve(function="harness.functions:slow")
    client = connect(fail_fast=True)
    assert call_until_served(client, 1) == 1
    with open_broker.limit_connections(open_broker.counts()["connections"]):
        assert call_until_served(client, 2000) == 2000


def test_nobody_can_ask(serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """C6: that the client gets no thread to ask with does not mean that nobody serves."""
    serve(function="harness.functions:slow")
    client = connect(fail_fast=True)
    assert call_until_served(client, 1) == 1

    monkeypatch.setattr(threading.Thread, "start", refuse_thread)
    assert call_until_served(client, 2000) == 2000


def test_request_that_the_broker_does_not_take(
    serve: Serve, connect: Connect, private_broker: PrivateBroker
) -> None:
    """C12: a request larger than the broker's limit costs the connection; nobody is told of a refusal."""
    with settings(private_broker, max_message_size=100_000):
        serve(function="harness.functions:slow")
        client = connect(timeout=30)
        assert client.call(1) == 1
        future = client.submit(3000)
        wait_until(lambda: client.stats.sent == 2, "the request to be sent")
        with pytest.raises(RpcConnectionLost):
            client.call("x" * 200_000)  # type: ignore[arg-type]
        with pytest.raises(RpcConnectionLost):
            future.result()
        assert client.call(2) == 2


@pytest.mark.parametrize("concurrency", [1, 4])
def test_job_longer_than_the_broker_allows(
    serve: Serve, connect: Connect, private_broker: PrivateBroker, concurrency: int, tmp_path: Path
) -> None:
    """C18: a job beyond the broker's `consumer_timeout` costs the connection, again and again, not the server."""
    log = tmp_path / "calls"
    with settings(private_broker, channel_tick_interval=300, consumer_timeout=1000):
        # from RabbitMQ 4.3 on only a quorum queue has this limit
        options: dict[str, Any] = {"queue_type": "quorum"}
        server = serve(
            function="tests.poison:slow_twice",
            concurrency=concurrency,
            env={"RPC_CALL_LOG": str(log)},
            **options,
        )
        assert connect(**options).call(7, timeout=40) == 7
        assert logged_calls(log) == [7, 7, 7]
        server.wait_for_output(r"(next attempt in(.|\n)*){2}", 20)
        assert server.running


def test_heartbeat_that_the_broker_lowers(
    serve: Serve, connect: Connect, private_broker: PrivateBroker
) -> None:
    """C21: the heartbeat is the one that was agreed on, when that is lower than what was asked for."""
    with settings(private_broker, heartbeat=2):
        server = serve(heartbeat=60)
        client = connect(heartbeat=60)
        assert client.call(10) == 55
        idle(6)
        assert client.call(11) == 89
        assert client.stats.reconnects == 0
        assert "next attempt in" not in server.output
