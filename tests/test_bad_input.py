"""C9, C13 against thousands of generated arguments, requests and replies; the same ones in every run."""

import json
import logging
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, wait
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pamqp.commands
import pika
import pytest
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st

from conftest import Serve
from contract import MAX_N, InvalidRequest, RpcClient, fib
from tests.waiting import messages_ready, take_request, wait_until

pytestmark = [
    pytest.mark.timeout(180),
    # a message drawn at random may be long, which says nothing of who reads it
    pytest.mark.filterwarnings("ignore:Generating overly large repr"),
]

generated = settings(
    max_examples=15,  # of BATCH messages each
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],  # a batch that fails is reported as it is: to shrink it takes minutes
    suppress_health_check=list(HealthCheck),
    verbosity=Verbosity.quiet,  # a batch fills pages; the failed assertion says what is needed
)
BATCH = 40

# -- arguments through the client ------------------------------------------------------------------

NUMBERS = st.integers(-5, 60) | st.sampled_from([MAX_N, MAX_N + 1, 10**19, -(10**19), 2**63])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=10,
)
NOT_JSON = (
    st.binary(max_size=9) | st.complex_numbers() | st.decimals() | st.frozensets(st.integers())
)
ARGUMENTS = NUMBERS | JSON_VALUES | NOT_JSON | st.text(min_size=900, max_size=2000)


def submit(client: RpcClient, n: Any) -> "Future[int]":
    """Submit n; what the client refuses by itself is a failed future as well."""
    try:
        return client.submit(n, timeout=50)
    except InvalidRequest as error:
        refused: Future[int] = Future()
        refused.set_exception(error)
        return refused


def test_arguments(
    serve: Serve, client: RpcClient, queue: str, channel: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """C9: any argument is answered: fib(n) for an int in range, else InvalidRequest."""
    caplog.set_level(logging.CRITICAL)
    server = serve(prefetch=20)

    @generated
    @given(st.lists(ARGUMENTS, min_size=BATCH, max_size=BATCH))
    def check(arguments: list[Any]) -> None:
        futures = [submit(client, n) for n in arguments]
        wait(futures)
        for n, future in zip(arguments, futures, strict=True):
            if type(n) is int and 0 <= n <= MAX_N:
                assert future.result() == fib(n)
            else:
                assert isinstance(future.exception(), InvalidRequest), n

    check()
    assert client.call(30) == 832040
    assert client.stats.reconnects == client.stats.in_flight == 0
    assert server.output.count("Awaiting") == 1
    assert server.terminate() == 0
    assert messages_ready(channel, queue) == 0


# -- raw messages ----------------------------------------------------------------------------------

SHORT = st.text(max_size=60) | st.binary(max_size=60) | st.just("x" * 255) | st.just("")
CONTENT_TYPES = st.none() | SHORT | st.sampled_from(
    ["application/json", "application/json; charset=latin-1", "APPLICATION/JSON", "text/plain",
     "application/x-python-serialize", "application/x-yaml", "application/x-msgpack", "application/data"]
)  # fmt: skip
ENCODINGS = (
    st.none() | SHORT | st.sampled_from(["utf-8", "utf-16", "gzip", "binary", "base64", "idna"])
)
FIELDS = st.recursive(  # what pika and pamqp can put into a table
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers(-200, 70_000)
    | st.floats(width=32, allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.decimals(-10_000, 10_000, places=2)
    | st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)
# What Celery and RabbitMQ look for in headers, apart from CC and BCC, which are for the broker.
NAMES = st.text(max_size=20).filter(lambda name: name not in ("CC", "BCC")) | st.sampled_from(
    ["id", "task", "lang", "eta", "expires", "retries", "timelimit", "group", "root_id", "origin",
     "stamps", "ignore_result", "compression", "shadow", "x-death", "x-delay", "x-delivery-count"]
)  # fmt: skip
HEADERS = st.dictionaries(NAMES, FIELDS, max_size=5)
BODIES = (
    st.binary(max_size=100)
    | JSON_VALUES.map(lambda value: json.dumps(value).encode())
    | st.sampled_from(
        [b"", b"0", b"10", b"-0", b"1e1", b" 7\n", b"[" * 2000, b"9" * 5000, b"\xef\xbb\xbf1"]
    )
    | st.lists(JSON_VALUES, max_size=3).map(lambda value: json.dumps([value, {}, {}]).encode())
)
SELF = "(the request queue)"
REPLIES = "(the queue of the test)"
REPLY_TO = st.sampled_from([REPLIES] * 6 + [None, SELF]) | st.sampled_from(
    [
        "",
        "no such queue",
        "amq.rabbitmq.reply-to.garbage",
        "x" * 255,
        "ümläut",
        b"\xff\xfe",
        "amq.direct",
    ]
)
KEEP = object()  # a message's part that stays as our own client or server writes it


def message(reply_to: st.SearchStrategy[Any], ids: st.SearchStrategy[Any]) -> Any:
    """Return a strategy of messages: some parts are generated, the others are kept."""

    def perhaps(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.just(KEEP) | strategy

    return st.fixed_dictionaries(
        {"reply_to": reply_to, "correlation_id": ids},
        optional={
            "body": perhaps(BODIES),
            "content_type": perhaps(CONTENT_TYPES),
            "content_encoding": perhaps(ENCODINGS),
            "headers": perhaps(HEADERS | st.none()),
            "delivery_mode": st.sampled_from([1, 2]),  # the broker refuses others
            "priority": st.integers(0, 255),
            "expiration": st.sampled_from(["0", "1", "60000", "+60000", "4294967295"]),
            "message_id": SHORT,
            "timestamp": st.integers(0, 2**64 - 1) | st.integers(0, 2**33),
            "type": SHORT | st.sampled_from(["error", "fibonacci"]),
            "user_id": st.just("guest"),
            "app_id": SHORT,
            "cluster_id": SHORT,
            "pamqp": st.booleans(),
        },
    )


def has_float(value: Any) -> bool:
    """Tell whether there is a float in a field's value: pika cannot write one."""
    if isinstance(value, dict | list):
        return any(map(has_float, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float)


class Encoded(pika.BasicProperties):
    """Properties with a header table that pamqp encoded: it uses other field types than pika."""

    def encode(self) -> list[bytes]:
        """Return the property flags and the properties."""
        headers, self.headers = self.headers, None
        flags, *rest = [super().encode()[0], *super().encode()[1:]]
        self.headers = headers
        table = pamqp.commands.Basic.Properties(headers=for_pamqp(headers)).marshal()[2:]
        present = int.from_bytes(flags) | self.FLAG_HEADERS
        before = (self.content_type is not None) + (self.content_encoding is not None)
        pieces = 2 * before  # each is a length and its text
        return [present.to_bytes(2), *rest[:pieces], table, *rest[pieces:]]


def for_pamqp(value: Any) -> Any:
    """Return a field's value as pamqp wants it."""
    if isinstance(value, dict):
        return {name: for_pamqp(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [for_pamqp(inner) for inner in value]
    if isinstance(value, Decimal):
        return value if value.as_tuple().exponent else Decimal(int(value))
    return bytearray(value) if isinstance(value, bytes) else value


def build(drawn: dict[str, Any], model: Any, names: dict[Any, str]) -> tuple[bytes, Any]:
    """Return body and properties of a drawn message, laid over those of a model."""
    drawn = {name: value for name, value in drawn.items() if value is not KEEP}
    drawn["reply_to"] = names.get(drawn["reply_to"], drawn["reply_to"])
    body = drawn.pop("body", model[2])
    pamqp = drawn.pop("pamqp", False)
    kept = {
        name: getattr(model[1], name) for name in ("content_type", "content_encoding", "headers")
    }
    parts = {**kept, **drawn}
    if parts["headers"] is not None and (pamqp or has_float(parts["headers"])):
        return body, Encoded(**parts)
    return body, pika.BasicProperties(**parts)


def publisher(channel: Any) -> tuple[Any, Callable[[], None]]:
    """Return a channel that does not wait for each message, and what waits for all of them."""
    quick = channel.connection.channel()
    return quick, lambda: quick.queue_declare("", exclusive=True, auto_delete=True) and None


def test_requests(
    serve: Serve, client: RpcClient, queue: str, channel: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """C9: any message in the request queue is answered if it says where to; none harms the server."""
    caplog.set_level(logging.CRITICAL)
    client.submit(30, timeout=50)
    model = take_request(client, channel, queue)
    channel.basic_ack(model[0].delivery_tag)
    replies = channel.queue_declare("", exclusive=True).method.queue
    quick, flush = publisher(channel)
    server = serve()
    ids = st.none() | SHORT | st.sampled_from(["the same", "id"])

    @generated
    @given(st.lists(message(REPLY_TO, ids), min_size=BATCH, max_size=BATCH))
    def check(batch: list[dict[str, Any]]) -> None:
        due: Counter[Any] = Counter()
        perhaps: Counter[Any] = Counter()
        for drawn in batch:
            body, properties = build(drawn, model, {REPLIES: replies, SELF: queue})
            quick.basic_publish("", queue, body, properties)
            if properties.reply_to == replies:
                sure = properties.expiration not in ("0", "1")
                (due if sure else perhaps)[as_text(properties.correlation_id)] += 1
        last = uuid.uuid4().hex  # one server, one request at a time: its answer is the last
        end = {"reply_to": replies, "correlation_id": last}
        quick.basic_publish("", queue, *build(end, model, {}))
        flush()
        answered: Counter[Any] = Counter()
        while True:
            _, properties, body = next(channel.consume(replies, True, inactivity_timeout=25))
            assert properties is not None, (
                f"no answer any more; last output: {server.output[-3000:]}"
            )
            json.loads(body)
            if properties.correlation_id == last:
                break
            answered[as_text(properties.correlation_id)] += 1
        for id_ in answered.keys() - due.keys() - perhaps.keys():
            answered[None] += answered.pop(id_)  # Celery answers with the task's id, if that is all
        assert not due - answered
        assert not answered - due - perhaps
        assert server.output.count("Awaiting") == 1  # not even its connection was lost

    check()
    assert client.call(30) == 832040
    assert server.terminate() == 0
    assert messages_ready(channel, queue) == 0


def as_text(id_: Any) -> Any:
    """Return a correlation id as text, whatever it is."""
    return (id_.decode("latin-1") if isinstance(id_, bytes) else id_) or None


def test_replies(
    serve: Serve, client: RpcClient, queue: str, channel: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """C13: any message in the callback queue is counted, ends no other call and harms no client."""
    caplog.set_level(logging.CRITICAL)
    waiting = client.submit(30, timeout=170)
    request = take_request(client, channel, queue)
    quick, flush = publisher(channel)
    callback_queue, own = request[1].reply_to, request[1].correlation_id
    replies = channel.queue_declare("", exclusive=True).method.queue
    request[1].reply_to = replies
    server = serve()
    quick.basic_publish("", queue, request[2], request[1])
    model = next(channel.consume(replies, True, inactivity_timeout=25))
    server.terminate()
    ended = client.submit(30, timeout=170)
    method, properties, _ = take_request(client, channel, queue)
    channel.basic_ack(method.delivery_tag)
    ended.cancel()
    # ends a batch: no other reply counts as late, and those before it have been counted or have expired
    last = {"reply_to": None, "correlation_id": properties.correlation_id}
    ids = st.none() | SHORT | st.sampled_from(["1", f"{own}0", own.upper(), own[:-1]])

    def counted() -> int:
        return sum(client.stats[1:7]) - client.stats.timed_out

    @generated
    @given(st.lists(message(st.none(), ids), min_size=BATCH, max_size=BATCH))
    def check(batch: list[dict[str, Any]]) -> None:
        before, late = counted(), client.stats.late
        brief = 0
        for drawn in batch:
            body, properties = build(drawn, model, {})
            brief += properties.expiration in ("0", "1")
            quick.basic_publish("", callback_queue, body, properties)
        quick.basic_publish("", callback_queue, *build(last, model, {}))
        flush()
        wait_until(lambda: client.stats.late > late, "the last reply to be counted")
        assert len(batch) - brief <= counted() - before - 1 <= len(batch)
        assert not waiting.done()

    check()
    assert client.stats.reconnects == 0
    for body in (b"", b"\xff", b"[]", b"{}", b'{"status": "SUCCESS"}', b"true"):
        properties = pika.BasicProperties(correlation_id=own, content_type="application/json")
        quick.basic_publish("", callback_queue, body, properties)
    quick.basic_publish(
        "",
        callback_queue,
        model[2],
        pika.BasicProperties(
            correlation_id=own,
            content_type="application/x-python-serialize",
            headers=model[1].headers,
        ),
    )
    channel.basic_nack(request[0].delivery_tag, requeue=True)
    serve()
    assert waiting.result() == 832040
    assert client.call(10) == 55
    assert client.stats.succeeded == 2
    assert client.stats.failed == 0
