"""What `contract/` promises by itself, without a broker: the wire text, addresses, the table of pending calls."""

import json
import threading
import weakref
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import InvalidRequest, RemoteError, RpcClosed, RpcConnectionLost, RpcTimeout, fib
from contract.errors import MalformedReply
from contract.wire import decode_reply, decode_request, encode_request, error_reply, handle_request
from rpc_core.addresses import DEFAULT_URL, broker_urls
from rpc_core.pending import PendingCalls
from tests.waiting import wait_until

JSON_TYPE = "application/json"
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


@given(st.integers(0, 10_000))
def test_request_round_trip(n: int) -> None:
    """C9: every valid n reaches the server as itself, with our content type and with the tutorial's none."""
    assert decode_request(encode_request(n), JSON_TYPE) == n
    assert decode_request(encode_request(n), None) == n


@given(json_values.filter(lambda v: not (type(v) is int and 0 <= v <= 10_000)))
def test_invalid_request(value: object) -> None:
    """C9: what is not one integer in range is refused, whatever JSON it is."""
    with pytest.raises(InvalidRequest):
        decode_request(encode_request(value), JSON_TYPE)


@given(st.binary(max_size=1200), st.sampled_from([JSON_TYPE, None, "", "text/plain"]))
def test_any_bytes_get_a_reply(body: bytes, content_type: str | None) -> None:
    """C9: whatever the bytes, there is a reply, and a client can read it."""
    reply = handle_request(fib, body, content_type)
    outcome = decode_reply(reply.body, JSON_TYPE, reply.type)
    assert isinstance(outcome, int | InvalidRequest)


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
