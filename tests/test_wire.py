"""The wire that tutorial six's programs speak too: what a message is, and who understands whom."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple, Self

import pika
import pytest
from pika.exceptions import ChannelClosedByBroker

from conftest import Connect, Serve
from contract import RpcAccessRefused, RpcClient, fib
from harness.implementations import IMPLEMENTATIONS, client_class, unsupported
from harness.server import ServerProcess
from tests.waiting import take_request, wait_until

SHARED = [package for package in IMPLEMENTATIONS if "shared_wire" not in unsupported(package)]
PATIENCE = (
    5.0  # seconds; shorter than the default, since an implementation that lacks this waits them out
)


class Published(NamedTuple):
    """What a program of tutorial six, as published, says on the wire: both the client and the server."""

    dates: str  # of the client's last change, and of the server's
    queue: dict[str, Any]  # how the server declares the request queue
    # what its library sets on requests and replies, beside reply_to and correlation_id
    properties: dict[str, Any]
    correlation_id: str | bytes
    direct: bool = False  # replies come by RabbitMQ's direct reply-to, without a callback queue
    acknowledges: bool = True
    prefetch: int = 1

    @property
    def durable_queue(self) -> dict[str, Any]:
        """How the server declares the request queue, once it has been told that it is durable."""
        return self.queue if self.queue.get("durable") else {"durable": True}


BEFORE_MARCH_2026: dict[str, Any] = {}
SINCE_MARCH_2026 = {"durable": True, "arguments": {"x-queue-type": "quorum"}}
UUID = "7f3c3d0e-54f4-4a6e-9a0b-0a7c6d1b9f1e"
TEXT = {"content_type": "text/plain"}
OCTETS = {"content_type": "application/octet-stream"}
AMQPLIB = Published(
    "2026-03-17, 2026-07-20",
    SINCE_MARCH_2026,
    {"headers": {}},
    "0.64985679544449490.45701006733607440.74117987561877",
    direct=True,
)

# By their folders in the repository rabbitmq/rabbitmq-tutorials, as it was on 2026-08-17; read off the wire
PUBLISHED = {
    "python": Published("2024-01-09, 2026-07-20", SINCE_MARCH_2026, {}, UUID),
    "javascript-nodejs": AMQPLIB,
    "javascript-nodejs before March 2026": AMQPLIB._replace(
        dates="2019-04-19, 2019-04-19", queue=BEFORE_MARCH_2026, direct=False
    ),
    "java": Published("2022-09-20, 2026-07-20", SINCE_MARCH_2026, {}, UUID),
    "go": Published(
        "2026-03-16, 2026-07-20", SINCE_MARCH_2026, TEXT, "TVHELGRKPEXSAGCVDTJRPJNTKRBKACNY"
    ),
    "php": Published("2023-10-19, 2026-07-20", SINCE_MARCH_2026, {}, "6b094d36021d3"),
    "php-amqp": Published("2015-08-04, 2026-07-20", {"auto_delete": True}, TEXT, "6b094d41101d3"),
    "ruby": Published(
        "2019-04-25, 2026-07-20",
        SINCE_MARCH_2026,
        OCTETS | {"delivery_mode": 2, "priority": 0},
        "0.317807685423862060.9253422781225460.5397138033119202",
        acknowledges=False,
        prefetch=0,
    ),
    "erlang": Published(
        "2024-06-22, 2026-07-20",
        BEFORE_MARCH_2026,
        {},
        bytes.fromhex("46f1dc8eeff445019a2ab18b5de0db20"),
    ),
    "elixir": Published(
        "2016-01-08, 2026-07-20",
        SINCE_MARCH_2026,
        {"delivery_mode": 1},
        "LTU3NjQ2MDc1MjMwMzQyMzQ4Nw==",
    ),
    "perl": Published(
        "2016-01-27, 2026-07-20",
        BEFORE_MARCH_2026,
        OCTETS
        | {"headers": {}, "delivery_mode": 1, "priority": 1}
        | {"timestamp": 1_795_771_754, "user_id": "guest"},
        UUID,
        acknowledges=False,
    ),
    "aio-pika, its documentation's": Published(
        "aio-pika 10.2.1",
        BEFORE_MARCH_2026,
        TEXT
        | {"headers": {}, "delivery_mode": 1, "priority": 0}
        | {"message_id": "f942294a0a0a44d2b8cb1e0590e06c82"},
        UUID,
        prefetch=0,
    ),
}


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


class TheirServer:
    """A server that does what a published program does: `int(body)`, a number as text, and what its library adds.

    Entering declares the request queue and consumes it; pika's exception, when the broker refuses.
    """

    def __init__(self, url: str, queue: str, program: Published, declared: dict[str, Any]) -> None:
        self._program = program
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel: Any = self._connection.channel()
        self._queue, self._declared = queue, declared
        self._thread = threading.Thread(target=self._serve)
        self.answered = 0

    def __enter__(self) -> Self:
        try:
            self._channel.queue_declare(self._queue, **self._declared)
            self._channel.basic_qos(prefetch_count=self._program.prefetch)
            self._channel.basic_consume(
                self._queue, self._on_request, auto_ack=not self._program.acknowledges
            )
        except BaseException:
            self._connection.close()
            raise
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.add_callback_threadsafe(self._channel.stop_consuming)
        self._thread.join()

    def _serve(self) -> None:
        self._channel.start_consuming()
        self._connection.close()

    def _on_request(self, channel: Any, method: Any, request: Any, body: bytes) -> None:
        if not body.isdigit():
            return  # Celery's; the published programs end here
        self.answered += 1  # first: the test goes on when the reply has come
        properties = pika.BasicProperties(
            correlation_id=request.correlation_id, **self._program.properties
        )
        channel.basic_publish("", request.reply_to, str(fib(int(body))).encode(), properties)
        if self._program.acknowledges:
            channel.basic_ack(method.delivery_tag)


Publish = Callable[..., TheirServer]


@pytest.fixture
def their_server(url: str, queue: str) -> Iterator[Publish]:
    """Start a server of theirs on the test's queue; it ends with the test."""
    with ExitStack() as stack:

        def start(program: Published, declared: dict[str, Any]) -> TheirServer:
            return stack.enter_context(TheirServer(url, queue, program, declared))

        yield start


@pytest.mark.needs("shared_wire")
def test_tutorial_client(serve: Serve, ask: Any) -> None:
    """Wire: a client that sends `30` with only reply_to and correlation_id gets `832040`."""
    serve()
    properties, reply = ask(b"30")
    assert reply == b"832040"
    assert properties.correlation_id == "42"
    assert properties.content_type == "application/json"
    assert not properties.type


@pytest.mark.needs("shared_wire")
def test_error_reply(serve: Serve, ask: Any) -> None:
    """Wire: an error reply has the type `error`, and says in JSON what was wrong."""
    serve()
    properties, reply = ask(b"-1")
    assert properties.type == "error"
    content = json.loads(reply)
    assert content["error"] == "InvalidRequest"
    assert "negative" in content["message"]


@pytest.mark.needs("shared_wire")
def test_request(client: RpcClient, channel: Any, queue: str) -> None:
    """Wire: a request is the decimal number, with the properties that the contract names."""
    client.submit(30, timeout=20)
    _, properties, body = take_request(client, channel, queue)
    assert body == b"30"
    assert properties.content_type == "application/json"
    assert properties.reply_to
    assert properties.correlation_id
    assert 0 < int(properties.expiration) <= 20_000


@pytest.mark.needs("shared_wire")
def test_tutorial_server(their_server: Publish, client: RpcClient) -> None:
    """Wire: the tutorial's server, which sets no content type, answers our client."""
    their_server(PUBLISHED["python"], {"durable": True})
    assert client.call(30, timeout=PATIENCE) == 832040


@pytest.mark.needs("shared_wire")
@pytest.mark.parametrize("other", SHARED)
def test_clients_of_another_layer(serve: Serve, url: str, queue: str, other: str) -> None:
    """Wire: clients of the others that share the wire work with this server."""
    serve()
    with client_class(other)(url, queue=queue, timeout=PATIENCE) as client:
        assert [client.call(n) for n in (0, 30, 10_000)] == [0, 832040, fib(10_000)]


@pytest.mark.needs("shared_wire")
@pytest.mark.parametrize("other", SHARED)
def test_servers_of_another_layer(client: RpcClient, url: str, queue: str, other: str) -> None:
    """Wire: servers of the others that share the wire answer this client."""
    with ServerProcess(other, url, queue=queue):
        assert client.call(30, timeout=PATIENCE) == 832040


def ask_as(program: Published, channel: Any, queue: str, n: int) -> tuple[Any, int]:
    """Send a request as a published client does; return the reply's correlation id, and the number it reads."""
    callback_queue = "amq.rabbitmq.reply-to"
    if not program.direct:
        callback_queue = channel.queue_declare("", exclusive=True).method.queue
    replies: list[tuple[Any, bytes]] = []
    channel.basic_consume(callback_queue, lambda *reply: replies.append(reply[2:]), auto_ack=True)
    properties: Any = pika.BasicProperties(reply_to=callback_queue, **program.properties)
    properties.correlation_id = program.correlation_id  # pika's types do not know bytes
    channel.basic_publish("", queue, str(n).encode(), properties)

    def arrived() -> bool:
        channel.connection.process_data_events(time_limit=0)
        return bool(replies)

    wait_until(arrived, "a reply")
    reply, body = replies.pop()
    return reply.correlation_id, int(body)


@pytest.mark.only_with("shared_wire")
@pytest.mark.parametrize("program", PUBLISHED.values(), ids=list(PUBLISHED))
def test_published_client(serve: Serve, channel: Any, queue: str, program: Published) -> None:
    """Wire: each published client is answered, and gets back its correlation id, byte for byte."""
    channel.queue_declare(queue, **program.durable_queue)
    serve()
    assert ask_as(program, channel, queue, 30) == (program.correlation_id, 832040)


@pytest.mark.only_with("shared_wire")
@pytest.mark.parametrize("program", PUBLISHED.values(), ids=list(PUBLISHED))
def test_published_server(their_server: Publish, connect: Connect, program: Published) -> None:
    """Wire: each published server answers our client, on a queue that it declared, durable."""
    server = their_server(program, program.durable_queue)
    client = connect(timeout=4 * PATIENCE)
    assert [client.call(n) for n in (0, 30, 78)] == [0, 832040, fib(78)]
    assert server.answered == 3
    assert client.stats.malformed == 0


@pytest.mark.only_with("shared_wire")
@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_on_one_queue(
    serve: Serve, connect: Connect, their_server: Publish, channel: Any, queue: str, first: str
) -> None:
    """Wire, C23: servers of both, and clients of both, share one queue, as published since March 2026.

    Ours adopts the queue that it finds; if it comes first, it has to be told that quorum is wanted.
    """
    program = PUBLISHED["python"]
    if first == "theirs":
        theirs = their_server(program, program.queue)
        ours = serve(extra_args=["-v"])
    else:
        ours = serve(extra_args=["-v"], queue_type="quorum")
        theirs = their_server(program, program.queue)
    client = connect(timeout=4 * PATIENCE)
    assert [client.call(30) for _ in range(10)] == [832040] * 10
    assert ask_as(program, channel, queue, 30) == (program.correlation_id, 832040)
    wait_until(lambda: theirs.answered + ours.output.count("<- request") == 11, "both servers' say")
    assert 0 < theirs.answered < 11


@pytest.mark.only_with("shared_wire")
@pytest.mark.parametrize(
    ("declared", "refused"),
    [(SINCE_MARCH_2026, "x-queue-type"), (BEFORE_MARCH_2026, "durable"), ({"durable": True}, None)],
    ids=["since March 2026", "before March 2026", "told that it is durable"],
)
def test_ours_first(
    serve: Serve,
    their_server: Publish,
    queue: str,
    channel: Any,
    declared: dict[str, Any],
    refused: str | None,
) -> None:
    """Wire, C23: a queue that ours declared by default is classic and durable; who says otherwise is refused."""
    serve()
    program = PUBLISHED["python"]
    if refused:
        with pytest.raises(ChannelClosedByBroker, match=f"inequivalent arg '{refused}'"):
            their_server(program, declared)
    else:
        their_server(program, declared)
    assert ask_as(program, channel, queue, 30) == (program.correlation_id, 832040)


@pytest.mark.usefixtures("transient_queues")
@pytest.mark.only_with("shared_wire")
def test_theirs_first_and_not_durable(
    serve: Serve, connect: Connect, their_server: Publish
) -> None:
    """Wire, C23: the queue of a server published before March 2026 is not durable: ours refuse, and say so."""
    their_server(PUBLISHED["python"], BEFORE_MARCH_2026)
    with pytest.raises(RpcAccessRefused, match="'durable'"):
        connect().call(30, timeout=4 * PATIENCE)
    with pytest.raises(RuntimeError, match="'durable'"):
        serve()
