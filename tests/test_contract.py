"""What `contract/` promises by itself, without a broker: the wire text, addresses, the table of pending calls."""

import json
import pickle
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contract import (
    InvalidRequest,
    RemoteError,
    RpcAccessRefused,
    RpcClosed,
    RpcConnectionLost,
    RpcError,
    RpcServerUnavailable,
    RpcTimeout,
    fib,
)
from contract.errors import MalformedReply
from contract.service import Service
from contract.wire import (
    decode_reply,
    decode_request,
    encode_request,
    error_reply,
    handle_request,
    is_json,
    may_be_json,
)
from harness.implementations import IMPLEMENTATIONS, check_implementation, client_class, unsupported
from rpc_core.addresses import DEFAULT_URL, broker_urls
from rpc_core.pending import PendingCalls
from tests.waiting import wait_until

JSON_TYPE = "application/json"
# a busy machine is no fault: what takes too long is for the suite's own time limit
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def test_fib() -> None:
    """C1: the first numbers, and one that a float cannot hold."""
    assert [fib(n) for n in range(10)] == [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]
    assert fib(100) == 354224848179261915075
    assert len(str(fib(10_000))) == 2_090


@unhurried
@given(st.integers(0, 10_000))
@example(0)
@example(10_000)
def test_request_round_trip(n: int) -> None:
    """C9: every valid n reaches the server as itself, with our content type and with the tutorial's none."""
    assert decode_request(encode_request(n), JSON_TYPE) == n
    assert decode_request(encode_request(n), None) == n


@unhurried
@given(json_values.filter(lambda v: not (type(v) is int and 0 <= v <= 10_000)))
def test_invalid_request(value: object) -> None:
    """C9: what is not one integer in range is refused, whatever JSON it is."""
    with pytest.raises(InvalidRequest):
        decode_request(encode_request(value), JSON_TYPE)


@unhurried
@given(st.binary(max_size=1200), st.sampled_from([JSON_TYPE, None, "", "text/plain"]))
def test_any_bytes_get_a_reply(body: bytes, content_type: str | None) -> None:
    """C9: whatever the bytes, there is a reply, and a client can read it."""
    reply = handle_request(fib, body, content_type)
    outcome = decode_reply(reply.body, JSON_TYPE, reply.type)
    assert isinstance(outcome, int | InvalidRequest)


@unhurried
@given(
    st.binary(), st.sampled_from([JSON_TYPE, None, "x/y"]), st.sampled_from([None, "error", "?"])
)
def test_any_bytes_as_a_reply(body: bytes, content_type: str | None, type_: str | None) -> None:
    """C13: a reply is read as a result or an error, or is malformed; nothing else is raised."""
    try:
        outcome = decode_reply(body, content_type, type_)
    except MalformedReply:
        return
    assert isinstance(outcome, int | InvalidRequest | RemoteError)


INVALID = b'{"error": "InvalidRequest", "message": "no"}'
REMOTE = b'{"error": "RemoteError", "type": "ValueError", "message": "boom"}'
OUTCOMES: list[tuple[bytes, str | None, str | None, object]] = [
    (b"832040", JSON_TYPE, None, 832040),
    (b"832040", None, None, 832040),
    (b"832040", "", "", 832040),
    (b" -7 ", "Application/JSON; charset=utf-8", None, -7),
    (INVALID, JSON_TYPE, "error", InvalidRequest("no")),
    (REMOTE, JSON_TYPE, "error", RemoteError("ValueError", "boom")),
    (b'{"error": "Other", "message": "x"}', JSON_TYPE, "error", RemoteError("Other", "x")),
    (
        b'{"error": "RemoteError", "type": 7, "message": "x"}',
        JSON_TYPE,
        "error",
        RemoteError("7", "x"),
    ),
    # an integer is a result only where nothing says that it is something else
    (b"832040", JSON_TYPE, "error", None),
    (b"832040", JSON_TYPE, "Error", None),
    (b"832040", JSON_TYPE, "result", None),
    (b"832040", JSON_TYPE, " ", None),
    (b"832040", "text/html", None, None),
    (b"832040", "application/jsonx", None, None),
    (b"true", JSON_TYPE, None, None),
    (b"1.0", JSON_TYPE, None, None),
    (b'"7"', JSON_TYPE, None, None),
    (b"null", JSON_TYPE, None, None),
    (b"[7]", JSON_TYPE, None, None),
    (b"NaN", JSON_TYPE, None, None),
    # and an error only where it is said to be one
    (INVALID, JSON_TYPE, None, None),
    (INVALID, JSON_TYPE, "result", None),
    (INVALID, "text/html", "error", None),
    (b'{"error": "InvalidRequest"}', JSON_TYPE, "error", None),
    (b'{"message": "no"}', JSON_TYPE, "error", None),
    (b'{"error": 1, "message": "no"}', JSON_TYPE, "error", None),
    (b'{"error": "RemoteError", "message": 1}', JSON_TYPE, "error", None),
    (b"", JSON_TYPE, None, None),
    (b"\xff", JSON_TYPE, None, None),
]


@pytest.mark.parametrize(
    ("body", "content_type", "type_", "outcome"), OUTCOMES, ids=range(len(OUTCOMES))
)
def test_what_a_reply_is(
    body: bytes, content_type: str | None, type_: str | None, outcome: object
) -> None:
    """C13: type, content type and body say what a reply is; one that contradicts itself is malformed."""
    if outcome is None:
        with pytest.raises(MalformedReply, match="not a reply: type"):
            decode_reply(body, content_type, type_)
    else:
        found = decode_reply(body, content_type, type_)
        assert (type(found), str(found)) == (type(outcome), str(outcome))


REFUSALS: list[tuple[bytes, str | None, str]] = [
    (b"30", "text/html", "content type must be application/json, not 'text/html'"),
    (b"x" * 1025, JSON_TYPE, "body must be at most 1024 bytes, and has 1025"),
    (b"x" * 1024, JSON_TYPE, "body is not JSON: Expecting value"),
    (b"[" * 1024, JSON_TYPE, "body is not JSON: "),
    (b"\xff", JSON_TYPE, "body is not JSON: 'utf-8' codec can't decode"),
    (b"NaN", JSON_TYPE, "body is not JSON: it has no NaN"),
    (b"[-Infinity]", JSON_TYPE, "body is not JSON: it has no -Infinity"),
    (b"true", JSON_TYPE, "n must be an integer, not bool"),
    (b"1.0", JSON_TYPE, "n must be an integer, not float"),
    (b'"1"', JSON_TYPE, "n must be an integer, not str"),
    (b"null", JSON_TYPE, "n must be an integer, not NoneType"),
    (b"-1", JSON_TYPE, "n must be between 0 and 10000, and is negative"),
    (b"10001", JSON_TYPE, "n must be between 0 and 10000, and is larger"),
]


@pytest.mark.parametrize(("body", "content_type", "says"), REFUSALS, ids=range(len(REFUSALS)))
def test_refusal_says_what_was_wrong(
    body: bytes, content_type: str | None, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    """C9: InvalidRequest says what was wrong with the request, to the caller and in the server's log."""
    with pytest.raises(InvalidRequest) as caught:
        decode_request(body, content_type)
    assert str(caught.value).startswith(says)
    reply = handle_request(fib, body, content_type)
    assert reply.type == "error"
    assert json.loads(reply.body) == {"error": "InvalidRequest", "message": str(caught.value)}
    assert caplog.messages == [f"invalid request: {caught.value}"]
    assert caplog.records[0].levelname == "WARNING"


@pytest.mark.parametrize(
    "n", [float("nan"), float("-inf"), b"1", {1}, 1j, object(), 10**5000], ids=range(7)
)
def test_what_json_cannot_carry(n: object) -> None:
    """C9: the client refuses what JSON has no way to write, and says so."""
    with pytest.raises(InvalidRequest, match="not JSON: "):
        encode_request(n)


def test_computed(caplog: pytest.LogCaptureFixture) -> None:
    """C1, C10: a result is sent in decimal, an exception as name and message, with its traceback in the log."""
    assert handle_request(fib, b"100", None) == (b"354224848179261915075", None)
    assert handle_request(lambda n: 10**4299, b"1", None) == (b"1" + b"0" * 4299, None)
    assert caplog.text == ""

    def wrong(function: Callable[[int], Any], type_: str, message: str) -> None:
        reply = handle_request(function, b"7", JSON_TYPE)
        assert reply.type == "error"
        content = {"error": "RemoteError", "type": type_, "message": message}
        assert json.loads(reply.body) == content
        assert caplog.records[-1].getMessage() == "the function raised"
        assert caplog.records[-1].exc_info

    def raises(error: BaseException) -> Callable[[int], int]:
        def function(n: int) -> int:
            raise error

        return function

    wrong(raises(ValueError("boom")), "ValueError", "boom")
    wrong(raises(SystemExit(3)), "SystemExit", "3")
    wrong(raises(KeyboardInterrupt()), "KeyboardInterrupt", "")
    wrong(raises(ValueError("x" * 1001)), "ValueError", "x" * 1000)
    wrong(lambda n: None, "TypeError", "the function returned NoneType, not int")
    wrong(lambda n: True, "TypeError", "the function returned bool, not int")
    with pytest.raises(ValueError, match="4300 digits") as caught:
        str(10**4300)
    wrong(lambda n: 10**4300, "ValueError", str(caught.value))
    wrong(raises(InvalidRequestOfItsOwn("mine")), "InvalidRequestOfItsOwn", "mine")


class InvalidRequestOfItsOwn(Exception):
    """A function's own exception."""


def test_limit_on_digits() -> None:
    """C13: a reply with more digits than this process reads is malformed."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(1000)
    try:
        with pytest.raises(MalformedReply):
            decode_reply(b"1" * 1001, JSON_TYPE, None)
    finally:
        sys.set_int_max_str_digits(before)
    assert decode_reply(b"1" * 1001, JSON_TYPE, None) == int("1" * 1001)


def test_content_types() -> None:
    """C9, C13: what is called JSON, or nothing, or what says nothing, may be JSON; nothing else."""
    ours = ("application/json", "APPLICATION/json ; charset=x")
    nothing = (None, "", b"", "text/plain", "application/octet-stream", "Text/Plain; charset=x")
    others = ("text/json", "application", "application/json2", b"application/json", 7, "text")
    assert [is_json(each) for each in (*ours, *nothing, *others)] == [True] * 2 + [False] * 12
    assert [may_be_json(each) for each in (*ours, *nothing, *others)] == [True] * 8 + [False] * 6


def test_errors() -> None:
    """Names: every error is an RpcError, and the built-in error that one would expect."""
    kinds = {
        RpcTimeout: TimeoutError,
        RpcServerUnavailable: RpcTimeout,
        RpcConnectionLost: ConnectionError,
        RpcAccessRefused: PermissionError,
        RpcClosed: RpcError,
        InvalidRequest: ValueError,
        RemoteError: RpcError,
    }
    for kind, expected in kinds.items():
        assert issubclass(kind, RpcError)
        assert issubclass(kind, expected)
    assert str(RemoteError("ValueError", "boom")) == "ValueError: boom"
    copy = pickle.loads(pickle.dumps(RemoteError("ValueError", "boom")))
    assert (copy.exception_type, copy.message) == copy.args == ("ValueError", "boom")


def test_implementations() -> None:
    """Names: an implementation is found by its package's name, with its class and its gaps."""
    for package in IMPLEMENTATIONS:
        assert check_implementation(package) == package
        assert client_class(package).__name__ == "FibonacciRpcClient"
    assert unsupported("raw_pika") == unsupported("kombu_impl") == {}
    assert unsupported("celery_impl").keys() == {"shared_wire"}
    assert unsupported("contract") == {}  # which declares none
    for name in ("no_such_package", "contract", "no.such.package", ""):
        with pytest.raises(
            ValueError, match=r"no module '.*' can be imported .*raw_pika, kombu_impl, celery_impl"
        ):
            check_implementation(name)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("raise RuntimeError('boom')", "RuntimeError('boom')"),
        ("import no_such_module", """ModuleNotFoundError("No module named 'no_such_module'")"""),
    ],
)
def test_implementation_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, why: str
) -> None:
    """Names: of a package that fails when it is imported the error is told."""
    (tmp_path / "failing").mkdir()
    (tmp_path / "failing" / "__init__.py").write_text(line)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"^no module") as caught:
        check_implementation("failing")
    assert str(caught.value) == (
        f"no module 'failing.rpc_client' can be imported: {why} "
        "(implementations here: raw_pika, kombu_impl, celery_impl)"
    )


def test_error_that_cannot_be_shown() -> None:
    """C10: an exception that raises when shown, or that is very long, is forwarded all the same."""

    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    outcome = decode_reply(error_reply(Unspeakable()).body, JSON_TYPE, "error")
    assert isinstance(outcome, RemoteError)
    assert outcome.exception_type == "Unspeakable"
    assert len(error_reply(ValueError("x" * 10**6)).body) < 1200


def test_an_error_named_like_ours_is_remote() -> None:
    """C10: a function's own exception called InvalidRequest is not taken for the server's verdict."""
    own = type("InvalidRequest", (Exception,), {})
    outcome = decode_reply(error_reply(own("mine")).body, JSON_TYPE, "error")
    assert isinstance(outcome, RemoteError)


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """C20: `--url`, else $AMQP_URL, else the default; several are split; passwords are not repeated."""
    monkeypatch.delenv("AMQP_URL", raising=False)
    assert broker_urls(None) == [DEFAULT_URL]
    monkeypatch.setenv("AMQP_URL", "amqp://a:b@c:1/d; amqps://e/%2F")
    assert broker_urls(None) == ["amqp://a:b@c:1/d", "amqps://guest:guest@e:5671/%2F"]
    assert broker_urls("AMQP://x") == ["amqp://guest:guest@x:5672/%2F"]
    for url in ("http://u:secret@h/", "amqp://u:secret@h:port/", "amqp://u:secret@", "secret"):
        with pytest.raises(ValueError, match="not a broker address") as caught:
            broker_urls(url)
        assert "u:secret" not in str(caught.value)


def check_named(value: object) -> object:
    """Return an object with a name; fail in a way of its own otherwise."""
    match value:
        case {"name": str()}:
            return value
    raise LookupError("no name")


NAMED = Service(check_named, check_named, max_body=40)


def test_another_service() -> None:
    """C9, C10, C13: other checks than fib's decide alike, whatever they raise."""

    def outcome(function: Callable[[Any], Any], body: bytes) -> object:
        reply = handle_request(function, body, JSON_TYPE, NAMED)
        return decode_reply(reply.body, JSON_TYPE, reply.type, NAMED)

    body = encode_request({"name": "x"})
    assert outcome(lambda value: value, body) == {"name": "x"}
    for wrong in (b"{}", b"1", encode_request({"name": "x" * 40})):
        assert isinstance(outcome(lambda value: value, wrong), InvalidRequest)
    assert str(outcome(lambda value: {}, body)) == "LookupError: no name"
    assert str(outcome(lambda value: {"name": "x", "id": {1}}, body)).startswith("TypeError: ")
    for malformed in (b"{}", b"1", b"null", b""):
        with pytest.raises(MalformedReply):
            decode_reply(malformed, JSON_TYPE, None, NAMED)


def test_reply_that_is_no_json() -> None:
    """C13: bytes that cannot be read are malformed, also for a service whose results may be anything."""
    anything = Service(lambda value: value, lambda value: value)
    assert decode_reply(b'""', JSON_TYPE, None, anything) == ""
    for body, content_type in ((b"\xff", JSON_TYPE), (b"", JSON_TYPE), (b'""', "text/html")):
        with pytest.raises(MalformedReply):
            decode_reply(body, content_type, None, anything)


@pytest.fixture
def asked() -> threading.Event:
    """Set when the table asked for the number of consumers."""
    return threading.Event()


@pytest.fixture
def pending(asked: threading.Event) -> Iterator[PendingCalls]:
    """A table that is closed with the test."""
    table = PendingCalls(
        fail_fast=False,
        request_consumer_count=asked.set,
        on_timed_out=lambda: None,
        send_again=lambda _call: None,
    )
    table.start()
    yield table
    table.close()


def test_ids_are_classified_without_being_remembered(pending: PendingCalls) -> None:
    """C13, C21: a finished call's id counts as late, any other as unknown."""
    call = pending.add(b"1", 10)
    pending.resolve(call.correlation_id, 7)
    assert call.future.result(timeout=0) == 7
    prefix = call.correlation_id.rpartition(".")[0]
    for _ in range(2):
        pending.resolve(call.correlation_id, 8)
    assert pending.stats.late == 2
    for id_ in (
        None,
        "",
        "x",
        f"{prefix}.2",
        f"{prefix}.0",
        f"{prefix}.-1",
        f"{prefix}.",
        "." * 300,
    ):
        pending.resolve(id_, 8)
    assert pending.stats.unknown == 8
    assert pending.stats.succeeded == 1


def test_only_sent_calls_are_lost(pending: PendingCalls) -> None:
    """C12: a lost connection fails what may have run; what was not sent goes on waiting."""
    sent, unsent = pending.add(b"1", 10), pending.add(b"2", 10)
    sent.sent = True
    assert pending.unsent() == [unsent]
    pending.fail_sent(RpcConnectionLost("gone"))
    assert isinstance(sent.future.exception(timeout=0), RpcConnectionLost)
    assert not unsent.future.done()


def test_many_deadlines(pending: PendingCalls) -> None:
    """C4, C21: ten thousand deadlines pass, and leave no entry."""
    calls = [pending.add(b"1", 0.3 + n / 50_000) for n in range(10_000)]
    wait_until(lambda: pending.stats.timed_out == 10_000, "all deadlines to pass")
    assert all(isinstance(call.future.exception(timeout=0), RpcTimeout) for call in calls)
    assert pending.stats.in_flight == 0


def test_idle_table_keeps_no_call(pending: PendingCalls) -> None:
    """C21: a call that has timed out is gone at once, not with the next call."""
    future = pending.add(b"1", 0.05).future
    left = weakref.ref(future)
    assert isinstance(future.exception(timeout=5), RpcTimeout)
    del future
    wait_until(lambda: left() is None, "the call to be gone")


def test_each_caller_gets_an_exception_of_its_own(pending: PendingCalls) -> None:
    """C8: errors are not shared between callers, whose tracebacks they carry."""
    calls = [pending.add(b"1", 10) for _ in range(2)]
    pending.close()
    first, second = (call.future.exception(timeout=0) for call in calls)
    assert isinstance(first, RpcClosed)
    assert first is not second


def test_json_is_what_is_sent() -> None:
    """C9: requests are JSON, also for what no server accepts."""
    for value in ("x", [1], {"a": None}, True, 1.5, -3):
        assert json.loads(encode_request(value)) == value
