"""The wire that tutorial six's programs speak too: what a message is, and who understands whom."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pika
import pytest

from conftest import Serve
from contract import RpcClient, fib
from contract.implementations import IMPLEMENTATIONS, client_class, gaps
from harness.server import ServerProcess
from tests.waiting import take_request

SHARED = [package for package in IMPLEMENTATIONS if "shared_wire" not in gaps(package)]
PATIENCE = (
    5.0  # seconds; shorter than the default, since an implementation that lacks this waits them out
)

pytestmark = pytest.mark.needs("shared_wire")


@pytest.fixture
def ask(channel: Any, queue: str) -> Any:
    """Return a function that sends a request as the tutorial's client does, and returns the reply."""
    callback_queue = channel.queue_declare("", exclusive=True).method.queue

    def ask(body: bytes) -> tuple[Any, bytes]:
        properties = pika.BasicProperties(reply_to=callback_queue, correlation_id="42")
        channel.basic_publish("", queue, body, properties)
        _, properties, reply = next(
            channel.consume(callback_queue, auto_ack=True, inactivity_timeout=PATIENCE)
        )
        return properties, reply

    return ask


@pytest.fixture
def tutorial_server(url: str, queue: str) -> Iterator[None]:
    """A server that does what the tutorial's does: int(body), text back, no content type."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel: Any = connection.channel()
    channel.queue_declare(queue, durable=True)
    done = threading.Event()

    def serve() -> None:
        for method, properties, body in channel.consume(queue, inactivity_timeout=0.1):
            if done.is_set():
                return
            if method is not None and body.isdigit():
                channel.basic_publish(
                    "",
                    properties.reply_to,
                    str(fib(int(body))).encode(),
                    pika.BasicProperties(correlation_id=properties.correlation_id),
                )
                channel.basic_ack(method.delivery_tag)

    thread = threading.Thread(target=serve)
    thread.start()
    yield
    done.set()
    thread.join()
    connection.close()


def test_tutorial_client(serve: Serve, ask: Any) -> None:
    """Wire: a client that sends `30` with only reply_to and correlation_id gets `832040`."""
    serve()
    properties, reply = ask(b"30")
    assert reply == b"832040"
    assert properties.correlation_id == "42"
    assert properties.content_type == "application/json"
    assert not properties.type


def test_error_reply(serve: Serve, ask: Any) -> None:
    """Wire: an error reply has the type `error`, and says in JSON what was wrong."""
    serve()
    properties, reply = ask(b"-1")
    assert properties.type == "error"
    content = json.loads(reply)
    assert content["error"] == "InvalidRequest"
    assert "negative" in content["message"]


def test_request(client: RpcClient, channel: Any, queue: str) -> None:
    """Wire: a request is the decimal number, with the properties that the contract names."""
    client.submit(30, timeout=20)
    _, properties, body = take_request(client, channel, queue)
    assert body == b"30"
    assert properties.content_type == "application/json"
    assert properties.reply_to
    assert properties.correlation_id
    assert 0 < int(properties.expiration) <= 20_000


@pytest.mark.usefixtures("tutorial_server")
def test_tutorial_server(client: RpcClient) -> None:
    """Wire: the tutorial's server, which sets no content type, answers our client."""
    assert client.call(30, timeout=PATIENCE) == 832040


@pytest.mark.parametrize("other", SHARED)
def test_clients_of_another_layer(serve: Serve, url: str, queue: str, other: str) -> None:
    """Wire: clients of the others that share the wire work with this server."""
    serve()
    with client_class(other)(url, queue=queue, timeout=PATIENCE) as client:
        assert [client.call(n) for n in (0, 30, 10_000)] == [0, 832040, fib(10_000)]


@pytest.mark.parametrize("other", SHARED)
def test_servers_of_another_layer(client: RpcClient, url: str, queue: str, other: str) -> None:
    """Wire: servers of the others that share the wire answer this client."""
    with ServerProcess(other, url, queue=queue):
        assert client.call(30, timeout=PATIENCE) == 832040
