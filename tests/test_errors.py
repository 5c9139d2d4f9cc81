"""C9 to C13: what happens to bad requests, bad functions, bad replies, dead servers and lost connections."""

import json
import logging
import uuid
import zlib
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import pika
import pytest

from conftest import Connect, OpenBroker, Serve
from contract import (
    InvalidRequest,
    RemoteError,
    RpcClient,
    RpcConnectionLost,
    RpcError,
    RpcTimeout,
    fib,
)
from harness.broker import PrivateBroker
from harness.functions import logged_calls
from harness.proxy import Proxy
from tests.waiting import messages_ready, take_request, wait_until

# -- C9 -------------------------------------------------------------------------------------------------

BAD_ARGUMENTS: list[Any] = [
    True,
    False,
    1.5,
    30.0,
    "30",
    "",
    None,
    -1,
    10_001,
    10**30,
    [],
    [1, 2],
    {},
    {"n": 30},
]
NOT_JSON: list[Any] = [float("nan"), float("inf"), object(), b"30", {1, 2}, 1j, 10**5000]


def test_invalid_arguments(serve: Serve, client: RpcClient) -> None:
    """C9: what is not one integer in range is refused with InvalidRequest, which says why; the server goes on."""
    server = serve()
    for n in BAD_ARGUMENTS:
        with pytest.raises(InvalidRequest) as caught:
            client.call(n)
        assert isinstance(caught.value, ValueError)
        assert len(str(caught.value)) > 5
        assert client.call(10) == 55
    assert server.running
    assert client.stats.failed == len(BAD_ARGUMENTS)


def test_arguments_that_json_cannot_carry(client: RpcClient) -> None:
    """C9: the client refuses only what JSON cannot carry, with the same error."""
    for n in NOT_JSON:
        with pytest.raises(InvalidRequest):
            client.call(n)
    assert client.stats.sent == 0


def test_large_argument(serve: Serve, client: RpcClient) -> None:
    """C9: a body over 1 KiB is refused by the server, however large."""
    serve()
    for size in (1025, 100_000, 5_000_000):
        with pytest.raises(InvalidRequest):
            client.call("x" * size)  # type: ignore[arg-type]
    assert client.call(10) == 55


def test_deep_argument(serve: Serve, client: RpcClient) -> None:
    """C9: a list in a list in a list is refused, at whatever depth, and costs no other call its answer."""
    serve(prefetch=20)
    assert client.call(1) == 1
    others = [client.submit(n) for n in range(10)]
    for depth in (1, 100, *range(850, 1050, 4), 10_000):
        nested: Any = 1
        for _ in range(depth):
            nested = [nested]
        with pytest.raises(InvalidRequest):
            client.call(nested)
        del nested
    assert [future.result() for future in others] == [fib(n) for n in range(10)]
    assert client.stats.reconnects == 0


MALFORMED: list[tuple[bytes, str | None]] = [
    (b"", "application/json"),
    (b"", None),
    (b"{", "application/json"),
    (b"{}", "application/json"),
    (b"[]", "application/json"),
    (b"[[], {}]", "application/json"),
    (b"nonsense", "application/json"),
    (b"nonsense", None),
    (b"\xff\xfe\x00", "application/json"),
    (b"\x80\x04K\x1e.", "application/x-python-serialize"),  # a pickled 30
    (b"30", "text/html"),
    (b"30", "application/x-yaml"),
    (b"30", "no such type"),
    (b"[" * 1000, "application/json"),
    (b"1" * 1025, "application/json"),
    (b"NaN", "application/json"),
]


def test_malformed_requests_are_answered(
    serve: Serve, client: RpcClient, queue: str, channel: Any
) -> None:
    """C9: whatever client wrote it, a request that says where to reply is answered; nothing is requeued."""
    server = serve()
    replies = channel.queue_declare("", exclusive=True).method.queue
    for body, content_type in MALFORMED:
        id_ = uuid.uuid4().hex
        properties = pika.BasicProperties(
            reply_to=replies, correlation_id=id_, content_type=content_type
        )
        channel.basic_publish("", queue, body, properties)
        _, answered, answer = next(channel.consume(replies, auto_ack=True, inactivity_timeout=10))
        assert answered is not None, f"no answer to {body!r:.20} as {content_type}"
        assert answered.correlation_id == id_
        assert b"InvalidRequest" in answer, f"{answer!r} to {body!r:.20} as {content_type}"
    assert client.call(10) == 55
    assert server.running
    assert messages_ready(channel, queue) == 0


def test_malformed_requests_without_reply_to(
    serve: Serve, client: RpcClient, queue: str, channel: Any
) -> None:
    """C9: without reply_to a malformed request is logged and dropped, and no server dies."""
    server = serve()
    for body, content_type in MALFORMED:
        properties = pika.BasicProperties(content_type=content_type)
        channel.basic_publish("", queue, body, properties)
    assert client.call(10) == 55
    assert server.running
    server.terminate()  # what it had not acknowledged would be back in the queue
    assert messages_ready(channel, queue) == 0


def test_compressed_messages(serve: Serve, client: RpcClient, queue: str, channel: Any) -> None:
    """C9, C13: nothing is decompressed, whatever a header says: a small body could become any size."""
    client.submit(30, timeout=50)
    _, properties, body = take_request(client, channel, queue)
    callback_queue = properties.reply_to
    properties.reply_to = channel.queue_declare("", exclusive=True).method.queue
    properties.headers = (properties.headers or {}) | {"compression": "application/x-gzip"}
    channel.basic_publish("", queue, zlib.compress(body), properties)
    serve()
    _, answered, answer = next(
        channel.consume(properties.reply_to, auto_ack=True, inactivity_timeout=10)
    )
    assert b"InvalidRequest" in answer
    answered.headers = {"compression": "application/x-gzip"}
    channel.basic_publish("", callback_queue, zlib.compress(answer), answered)
    wait_until(lambda: client.stats.malformed == 1, "the reply to be counted")


def nested(kind: bytes, depth: int = 3000) -> bytes:
    """Return a header table or array that holds one that holds one, and so on."""
    name, value = b"\x01k" if kind == b"F" else b"", b""
    for _ in range(depth):
        value = name + kind + len(value).to_bytes(4) + value
    return len(value).to_bytes(4) + value


class WithHeader(pika.BasicProperties):
    """Properties with one header, whose encoded value (its kind first) pika itself would not write."""

    header = b""

    def encode(self) -> list[bytes]:
        """Return the property flags and the properties."""
        flags, *pieces = super().encode()
        table = b"\x01x" + self.header
        at = 2 * (self.content_type is not None)  # the length and the text of what comes before
        headers = [len(table).to_bytes(4), table]
        flags = (int.from_bytes(flags) | self.FLAG_HEADERS).to_bytes(2)
        return [flags, *pieces[:at], *headers, *pieces[at:]]


UNREADABLE = {
    "a date after the year 9999": b"T" + b"\x7f" * 8,
    "nested tables": b"F" + nested(b"F"),
    "nested arrays": b"A" + nested(b"A"),
    "text that is not UTF-8": b"S\0\0\0\2\xff\xfe",
}


def test_headers_that_a_library_cannot_read(
    serve: Serve, client: RpcClient, queue: str, channel: Any
) -> None:
    """C9, C13: headers on which a library's decoder fails: requests are answered, replies counted."""
    client.submit(30, timeout=50)
    _, request, _ = take_request(client, channel, queue)
    server = serve()
    replies = channel.queue_declare("", exclusive=True).method.queue
    for name, header in UNREADABLE.items():
        properties = WithHeader(
            content_type="application/json", reply_to=replies, correlation_id=name
        )
        properties.header = header
        channel.basic_publish("", queue, b"10", properties)
        _, answered, _ = next(channel.consume(replies, auto_ack=True, inactivity_timeout=10))
        assert answered is not None, f"no answer to a request with {name}"
        assert answered.correlation_id == name
        channel.basic_publish("", request.reply_to, b"1", properties)
    wait_until(
        lambda: client.stats.unknown + client.stats.malformed == len(UNREADABLE), "the replies"
    )
    assert client.call(10) == 55
    assert client.stats.reconnects == 0
    assert server.output.count("Awaiting") == 1  # not even its connection was lost


# -- C10 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "exception_type", "message"),
    [
        ("raises", "ValueError", "boom 7"),
        ("raises_system_exit", "SystemExit", "7"),
        ("raises_keyboard_interrupt", "KeyboardInterrupt", "7"),
        ("raises_unprintable", "Unprintable", "cannot be shown"),
        ("returns_none", "TypeError", "NoneType"),
        ("returns_text", "TypeError", "str"),
        ("too_long", "ValueError", "4300"),
    ],
)
def test_remote_error(
    serve: Serve, client: RpcClient, function: str, exception_type: str, message: str
) -> None:
    """C10: an exception reaches the caller by name and message; its traceback stays in the server's log."""
    server = serve(function=f"harness.functions:{function}")
    for _ in range(2):  # the server goes on
        with pytest.raises(RemoteError) as caught:
            client.call(7)
        assert caught.value.exception_type == exception_type
        assert message in caught.value.message
        assert "Traceback" not in str(caught.value)
    server.wait_for_output("Traceback")
    assert server.running


# -- C11 ------------------------------------------------------------------------------------------------


def test_server_killed_while_computing(serve: Serve, client: RpcClient, tmp_path: Path) -> None:
    """C11: a call that a killed server was computing is answered by another."""
    log, gate = tmp_path / "calls", tmp_path / "gate"
    options: dict[str, Any] = {
        "function": "harness.functions:wait_for_file",
        "env": {"RPC_CALL_LOG": str(log), "RPC_GATE": str(gate)},
    }
    first = serve(**options)
    future = client.submit(800, timeout=40)
    wait_until(log.exists, "the first server to compute")
    first.kill()
    gate.touch()
    serve(**options)
    assert future.result() == 800
    assert logged_calls(log) == [800, 800]


def test_poison_request(serve: Serve, client: RpcClient) -> None:
    """C11: a request that kills every server stops at its deadline; the next one is served."""
    poison = client.submit(666, timeout=6)
    for _ in range(2):
        with pytest.raises((RuntimeError, TimeoutError)):
            serve(function="harness.functions:kill_process").wait_for_output("no such line", 20)
    assert isinstance(poison.exception(), RpcTimeout)
    serve(function="harness.functions:kill_process")
    assert client.call(3, timeout=20) == 3


# -- C12 ------------------------------------------------------------------------------------------------


def test_connections_closed_by_the_broker(
    serve: Serve, client: RpcClient, open_broker: OpenBroker
) -> None:
    """C12: calls in flight fail with RpcConnectionLost or complete; the same client works again."""
    serve(function="harness.functions:slow", concurrency=4)
    assert client.call(1) == 1
    futures = [client.submit(n) for n in (3000, 3001, 3002)]
    wait_until(lambda: client.stats.sent == 4, "the requests to be sent")
    open_broker.close_all_connections("test")
    wait(futures, timeout=30)
    for n, future in zip((3000, 3001, 3002), futures, strict=True):
        error = future.exception(timeout=0)
        assert future.result() == n if error is None else isinstance(error, RpcConnectionLost)
    assert isinstance(RpcConnectionLost(), ConnectionError)
    wait_until(lambda: client.stats.reconnects >= 1, "the client to be back", 30)
    assert client.call(2, timeout=30) == 2
    assert client.stats.in_flight == 0


def test_connection_cut(serve: Serve, connect: Connect, url: str, tmp_path: Path) -> None:
    """C12: a call in flight fails at once and is not sent again; the same client serves the next call."""
    log = tmp_path / "calls"
    serve(function="harness.functions:slow_logged", env={"RPC_CALL_LOG": str(log)})
    with Proxy.for_url(url) as proxy:
        client = connect(url=proxy.url)
        future = client.submit(700, timeout=6)
        wait_until(log.exists, "the server to compute")
        proxy.cut()
        assert future.exception() is None or isinstance(future.exception(), RpcConnectionLost)
        wait_until(lambda: client.stats.reconnects == 1, "the client to be back", 30)
        assert client.call(1) == 1
        client.close()
    assert logged_calls(log) == [700, 1]


def test_call_during_an_outage(
    serve: Serve, client: RpcClient, private_broker: PrivateBroker
) -> None:
    """C12: a call made while the broker is away waits for it until its own deadline."""
    server = serve()
    assert client.call(10) == 55
    try:
        private_broker.stop_app()
        with pytest.raises((RpcTimeout, RpcConnectionLost)):  # it may meet the loss itself
            client.call(11, timeout=1.5)
        waiting = client.submit(12, timeout=200)
        cancelled = client.submit(13, timeout=200)
        assert cancelled.cancel()
    finally:
        private_broker.start_app()
    assert waiting.result() == fib(12)
    assert client.call(14) == fib(14)
    server.wait_for_output("next attempt in")  # C18: a log line for each of the server's attempts
    assert server.running


def test_first_broker_has_no_address(
    serve: Serve, connect: Connect, url: str, broker: PrivateBroker
) -> None:
    """C12, C18: of several brokers one whose name does not resolve is passed over, by client and server."""
    several = f"amqp://guest:guest@no-such-host.invalid/%2F;{url}"
    serve(url=several)
    assert connect(several).call(10, timeout=40) == 55


def test_client_that_is_older_than_its_broker(connect: Connect) -> None:
    """C12: a client may be made before there is a broker; a call waits, and says what it lacked."""
    client = connect(url="amqp://guest:guest@127.0.0.1:1/%2F")
    with pytest.raises(RpcTimeout, match="broker"):
        client.call(1, timeout=0.8)


# -- C13 ------------------------------------------------------------------------------------------------


def test_stray_replies(
    serve: Serve,
    client: RpcClient,
    queue: str,
    channel: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """C13: unknown, id-less and malformed replies resolve no call and kill no client; each is counted."""
    caplog.set_level(logging.CRITICAL)
    future = client.submit(30, timeout=50)
    method, properties, _ = take_request(client, channel, queue)
    callback_queue, id_ = properties.reply_to, properties.correlation_id

    def reply(body: bytes, **others: Any) -> None:
        channel.basic_publish("", callback_queue, body, pika.BasicProperties(**others))

    json_type = {"content_type": "application/json"}
    reply(b"1", **json_type)
    reply(b"1", correlation_id="never given out", **json_type)
    reply(b"1", correlation_id=id_[:-1] + "999999", **json_type)
    wait_until(lambda: sum(client.stats[4:7]) == 3, "three unmatched replies to be counted")
    strange = [b"", b"null", b"{", b"\xff\xfe", b'{"error": 1}', b"true", b"1.5", b"[" * 5000]
    for body in strange:
        reply(body, correlation_id=id_, **json_type)
        reply(body, correlation_id=id_, type="error", **json_type)
    reply(b"\x80\x04K\x1e.", correlation_id=id_, content_type="application/x-python-serialize")
    reply(b"832041", correlation_id=id_, content_type="text/html")
    wait_until(
        lambda: client.stats.malformed >= 2 * len(strange) + 2, "the malformed ones to be counted"
    )
    assert not future.done()
    channel.basic_nack(method.delivery_tag, requeue=True)
    serve()
    assert future.result() == 832040
    assert client.call(10) == 55
    assert client.stats.succeeded == 2


def test_duplicate_and_late_replies(
    serve: Serve, client: RpcClient, queue: str, channel: Any
) -> None:
    """C13: a duplicate reply resolves no other call; it counts as late, as a reply after the deadline does."""
    future = client.submit(20, timeout=50)
    method, properties, body = take_request(client, channel, queue)
    for _ in range(3):
        channel.basic_publish("", queue, body, properties)
    channel.basic_ack(method.delivery_tag)
    serve()
    assert future.result() == fib(20)
    assert [client.call(n) for n in range(21, 40)] == [fib(n) for n in range(21, 40)]
    wait_until(lambda: client.stats.late == 2, "two duplicates to be counted")
    assert client.stats.succeeded == 20


def test_late_reply(serve: Serve, client: RpcClient) -> None:
    """C13: a reply after the deadline resolves nothing, and is counted."""
    serve(function="harness.functions:slow")
    assert client.call(1) == 1
    with pytest.raises(RpcTimeout):
        client.call(1500, timeout=1)
    wait_until(lambda: client.stats.late == 1, "the late reply to be counted")
    assert client.call(5) == 5


def test_no_class_is_named_by_the_wire(client: RpcClient, queue: str, channel: Any) -> None:
    """C10: no class is looked up by a name that came off the wire."""
    future = client.submit(1, timeout=5)
    method, properties, _ = take_request(client, channel, queue)
    channel.basic_ack(method.delivery_tag)
    names = {"error": "SystemExit", "type": "SystemExit", "message": "now"}
    celery = {
        "task_id": properties.correlation_id,
        "status": "FAILURE",
        "result": {"exc_type": "SystemExit", "exc_message": ["now"], "exc_module": "builtins"},
        "traceback": None,
        "children": [],
    }
    for type_, content in (("error", names), (None, celery)):
        channel.basic_publish(
            "",
            properties.reply_to,
            json.dumps(content).encode(),
            pika.BasicProperties(
                correlation_id=properties.correlation_id,
                content_type="application/json",
                content_encoding="utf-8",
                type=type_,
            ),
        )
    error = future.exception()
    assert isinstance(error, RpcError)
