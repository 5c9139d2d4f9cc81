"""The table of pending calls, and its question "does anyone serve?": no broker, and a clock that stands still."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from typing import Any

import pytest

from contract import (
    InvalidRequest,
    RemoteError,
    RpcAccessRefused,
    RpcClosed,
    RpcConnectionLost,
    RpcServerUnavailable,
    RpcTimeout,
    Stats,
)
from contract.limits import DEADLINE_TOLERANCE, FAIL_FAST_WITHIN, MAX_TIMEOUT
from contract.service import Service
from rpc_core import pending as module
from rpc_core.consumers import ConsumerQuestion, Consumers
from rpc_core.limits import ASK_BEFORE_DEADLINE, FAIL_FAST_AFTER, SCAN_INTERVAL
from rpc_core.pending import PendingCall, PendingCalls, resolve_future
from tests.clock import Clock
from tests.poison import refuse_thread
from tests.waiting import idle, wait_until

JSON_TYPE = "application/json"
ROUND_TRIP = 0.2  # seconds: a slow network's, which the answer about consumers must have time for


class Table(PendingCalls):
    """A table that notes what it asks of its client. Nobody watches its deadlines: `look` does, when told."""

    def __init__(self, *, fail_fast: bool = False) -> None:
        self.questions = 0
        self.told = 0
        self.again: list[PendingCall] = []
        super().__init__(
            fail_fast=fail_fast,
            request_consumer_count=self._asked,
            on_timed_out=self._tell,
            send_again=self.again.append,
        )

    def _asked(self) -> None:
        self.questions += 1

    def _tell(self) -> None:
        self.told += 1

    def look(self) -> None:
        """Do what the deadline thread does each time it wakes."""
        self._end_expired()

    def sent(self, timeout: float) -> PendingCall:
        """Enter a call, and send it."""
        call = self.add(b"1", timeout)
        call.sent = True
        return call


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that the table goes by."""
    return Clock().stop(monkeypatch, module)


@pytest.fixture
def table(clock: Clock) -> Table:
    """A table whose time stands still."""
    return Table()


@pytest.fixture
def hasty(clock: Clock) -> Table:
    """The same with `fail_fast`."""
    return Table(fail_fast=True)


@pytest.fixture
def watched() -> Iterator[Table]:
    """A table whose deadlines a thread watches, by the true clock."""
    table = Table()
    table.start()
    yield table
    table.close()
    thread = table.deadline_thread
    assert thread is not None
    if thread is not threading.current_thread():
        thread.join(10)
        assert not thread.is_alive()


def error_of(call: PendingCall) -> Any:
    """Return what a call has failed with."""
    assert call.future.done()
    return call.future.exception(timeout=0)


# -- ids -------------------------------------------------------------------------------------------------


def test_ids_are_nobody_elses(table: Table) -> None:
    """C2: each call has an id of its own, also among clients."""
    others = Table()
    ids = [
        call.correlation_id for t in (table, others) for call in (t.add(b"1", 1), t.add(b"1", 1))
    ]
    assert len(set(ids)) == 4
    assert len({id_.rpartition(".")[0] for id_ in ids}) == 2


def test_a_call_keeps_what_it_was_given(table: Table, clock: Clock) -> None:
    """C5: the remaining time shrinks from the timeout to 0, in seconds and in whole milliseconds."""
    call = table.add(b"30", 2.5)
    assert (call.body, call.sent, call.returned) == (b"30", False, False)
    assert (call.deadline, call.remaining, call.expiration) == (clock.now + 2.5, 2.5, "2500")
    clock.now += 2.2504
    assert call.remaining == pytest.approx(0.2496)
    assert call.expiration == "249"
    clock.now += 1
    assert (call.remaining, call.expiration) == (0.0, "0")


# -- deadlines (C4) --------------------------------------------------------------------------------------


def test_deadline_is_exact(table: Table, clock: Clock) -> None:
    """C4: a call ends at its deadline: not before, and no more than the tolerance after."""
    call = table.sent(2.0)
    clock.now += 2.0 - 1e-6
    table.look()
    assert not call.future.done()
    clock.now += 1e-6
    table.look()
    assert type(error_of(call)) is RpcTimeout
    assert str(error_of(call)) == "no answer before the deadline"
    assert table.told == 1
    assert table.stats == Stats(timed_out=1)


@pytest.mark.parametrize("waits", [True, False], ids=["waited for", "not waited for"])
def test_deadline_thread_is_punctual(watched: Table, waits: bool) -> None:
    """C4: at most 0.1 s late, whether anyone waits on the future or not."""

    def lateness() -> float:
        begun = time.monotonic()
        call = watched.sent(0.15)
        ended = threading.Event()
        call.future.add_done_callback(lambda _: ended.set())
        if waits:
            wait([call.future], 20)
        assert ended.wait(20)
        late = time.monotonic() - begun - 0.15
        assert late >= 0
        return late

    assert min(lateness() for _ in range(5)) <= DEADLINE_TOLERANCE  # on an idle machine


def test_later_call_with_an_earlier_deadline(watched: Table) -> None:
    """C4: a call that is made later and ends earlier wakes the thread that watches."""
    watched.sent(100)
    call = watched.sent(0.1)
    assert isinstance(call.future.exception(timeout=20), RpcTimeout)


@pytest.mark.parametrize("timeout", [0, 0.0, -1])
def test_deadline_that_has_passed(table: Table, timeout: float) -> None:
    """C4, C22: a call without any time fails at once, is counted, and never enters the table."""
    with pytest.raises(RpcTimeout, match=r"^the deadline had passed before the call was made$"):
        table.add(b"1", timeout)
    assert table.stats == Stats(timed_out=1)


@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), MAX_TIMEOUT + 1, "1", None, True])
def test_timeout_that_is_none(table: Table, timeout: Any) -> None:
    """C4: there is no infinite wait; what is no number of seconds is refused."""
    with pytest.raises(ValueError, match="timeout must be"):
        table.add(b"1", timeout)
    assert table.stats == Stats()


def test_unsent_call_at_its_deadline(table: Table, clock: Clock) -> None:
    """C6: a call that could not be sent says that the broker could not be reached, and why."""
    first, second = table.add(b"1", 1), table.add(b"1", 2)
    clock.now += 1
    table.look()
    assert type(error_of(first)) is RpcServerUnavailable
    assert str(error_of(first)) == "the broker could not be reached in time"
    table.not_connected("nobody listens")
    clock.now += 1
    table.look()
    assert str(error_of(second)) == "the broker could not be reached in time: nobody listens"
    third = table.add(b"1", 1)
    table.connected()
    clock.now += 1
    table.look()
    assert str(error_of(third)) == "the broker could not be reached in time"


def test_logging_that_fails_ends_no_thread(
    watched: Table, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """C4: whatever is raised in the thread that watches, the next deadline is kept."""
    failures = iter([OSError("no space left")])

    def fails_once() -> None:
        for error in failures:
            raise error

    monkeypatch.setattr(watched, "_on_timed_out", fails_once)
    for _ in range(2):
        assert isinstance(watched.sent(0.05).future.exception(timeout=20), RpcTimeout)
    assert caplog.messages == ["watching the deadlines"]


def test_log_that_cannot_be_written(watched: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """C4: not even an error that cannot be logged ends the thread that watches."""
    logged: list[str] = []

    def fail(*_: object) -> None:
        logged.append("once more")
        raise OSError("no space left")

    monkeypatch.setattr(watched, "_on_timed_out", fail)
    monkeypatch.setattr(module.log, "exception", fail)
    for _ in range(2):
        assert isinstance(watched.sent(0.05).future.exception(timeout=20), RpcTimeout)
    wait_until(lambda: len(logged) == 4, "all to fail")


def test_thread_that_watches_sleeps(
    watched: Table, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """C4, C21: it looks when a call needs it, not all the time; and nothing fails meanwhile."""
    looks: list[float] = []
    look = watched._end_expired

    def note() -> None:
        looks.append(time.monotonic())
        look()

    monkeypatch.setattr(watched, "_end_expired", note)
    for others in (0, 1):
        for _ in range(others):
            watched.sent(100)
        assert isinstance(watched.sent(0.05).future.exception(timeout=20), RpcTimeout)
        idle(10 * SCAN_INTERVAL)
    assert len(looks) <= 10  # for each of three calls: when it comes, when it asks, when it ends
    assert caplog.text == ""
    assert watched.deadline_thread is not None
    assert watched.deadline_thread.daemon


# -- who serves (C6) -------------------------------------------------------------------------------------


def test_first_check(clock: Clock) -> None:
    """C6: fail_fast asks early enough for an answer within a second; others just before their deadline."""
    hasty, patient = ConsumerQuestion(fail_fast=True), ConsumerQuestion(fail_fast=False)
    assert hasty.first_check(clock.now, 10.0) == clock.now + FAIL_FAST_AFTER
    assert FAIL_FAST_AFTER + ROUND_TRIP < FAIL_FAST_WITHIN
    assert hasty.first_check(clock.now, 0.4) == clock.now + 0.2  # a short call: half way
    assert patient.first_check(clock.now, 10.0) == clock.now + 10.0 - ASK_BEFORE_DEADLINE
    assert patient.first_check(clock.now, 0.4) == pytest.approx(clock.now + 0.2, abs=1e-9)
    assert ROUND_TRIP < ASK_BEFORE_DEADLINE


def test_nobody_serves(table: Table, clock: Clock) -> None:
    """C6: asked before the deadline, answered with none: RpcServerUnavailable, and not before the deadline."""
    call = table.sent(10)
    clock.now += 10 - ASK_BEFORE_DEADLINE - 1e-6
    table.look()
    assert table.questions == 0
    clock.now += 1e-6
    table.look()
    table.look()
    assert table.questions == 1
    table.on_consumer_count(0)
    table.look()
    assert not call.future.done()
    clock.now += ASK_BEFORE_DEADLINE
    table.look()
    assert type(error_of(call)) is RpcServerUnavailable
    assert str(error_of(call)) == "no server consumes the request queue"


def test_no_claim_without_an_answer(table: Table, clock: Clock) -> None:
    """C6: a call that got no answer about servers, or one that some serve, is a plain timeout."""
    unanswered, answered = table.sent(10), table.sent(20)
    clock.now += 10 - ASK_BEFORE_DEADLINE
    table.look()
    clock.now += ASK_BEFORE_DEADLINE
    table.look()
    assert type(error_of(unanswered)) is RpcTimeout
    table.on_consumer_count(0)  # late, and to a question of another call's
    clock.now += 10 - ASK_BEFORE_DEADLINE
    table.look()
    assert table.questions == 2
    table.on_consumer_count(1)
    clock.now += ASK_BEFORE_DEADLINE
    table.look()
    assert type(error_of(answered)) is RpcTimeout


def test_one_question_for_all(table: Table, clock: Clock) -> None:
    """C6: one query serves all calls that ask before it is answered; the next one asks again."""
    early, late = table.sent(10), table.sent(10.1)
    clock.now += 10 - ASK_BEFORE_DEADLINE
    table.look()
    clock.now += 0.1
    table.look()
    assert table.questions == 1
    table.on_consumer_count(0)
    assert (early.consumers, late.consumers) == (Consumers.NO_CONSUMERS,) * 2
    clock.now += 1
    table.look()
    table.sent(1)
    clock.now += 1 - ASK_BEFORE_DEADLINE
    table.look()
    assert table.questions == 2


def test_fail_fast_is_exact(hasty: Table, clock: Clock) -> None:
    """C6: with fail_fast a call ends when the answer comes: with a slow network's, within a second."""
    call, other = hasty.sent(8), hasty.sent(9)
    clock.now += FAIL_FAST_AFTER
    hasty.look()
    assert hasty.questions == 1
    clock.now += ROUND_TRIP
    hasty.on_consumer_count(0)
    assert clock.now - 1000.0 <= FAIL_FAST_WITHIN
    assert [type(error_of(each)) for each in (call, other)] == [RpcServerUnavailable] * 2
    assert hasty.told == 1
    assert hasty.stats == Stats(timed_out=2)


def test_fail_fast_asks_again(hasty: Table, clock: Clock) -> None:
    """C6: servers may leave after the first look: a fail_fast call looks again before its deadline."""
    call = hasty.sent(8)
    clock.now += FAIL_FAST_AFTER
    hasty.look()
    hasty.on_consumer_count(1)
    assert not call.future.done()
    clock.now = call.deadline - ASK_BEFORE_DEADLINE
    hasty.look()
    assert hasty.questions == 2
    hasty.on_consumer_count(0)
    assert type(error_of(call)) is RpcServerUnavailable


def test_fail_fast_does_not_ask_for_ever(hasty: Table, clock: Clock) -> None:
    """C6: after the second answer nobody is asked any more: a call that is served ends at its deadline."""
    call = hasty.sent(8)
    for _ in range(2):
        clock.now = call.next_check
        hasty.look()
        hasty.on_consumer_count(1)
    assert call.next_check == call.deadline
    clock.now = call.deadline
    hasty.look()
    assert hasty.questions == 2
    assert type(error_of(call)) is RpcTimeout


@pytest.mark.parametrize("timeout", [0.8, 1.0])
def test_short_fail_fast_call_asks_once(hasty: Table, clock: Clock, timeout: float) -> None:
    """C6: with too little time for a second answer the first one stands."""
    call = hasty.sent(timeout)
    clock.now = call.next_check
    hasty.look()
    hasty.on_consumer_count(2)
    assert (call.consumers, call.next_check) == (Consumers.CONSUMERS, call.deadline)


def test_question_that_was_lost(hasty: Table, clock: Clock) -> None:
    """C6, C12: a question that was lost with the connection is asked again, by later calls as well."""
    hasty.sent(8)
    clock.now += FAIL_FAST_AFTER
    hasty.look()
    hasty.fail_sent(RpcConnectionLost("gone"))
    call = hasty.sent(8)
    clock.now += FAIL_FAST_AFTER
    hasty.look()
    assert hasty.questions == 2
    hasty.on_consumer_count(1)
    assert not call.future.done()


def test_question_of_a_call_that_waits(hasty: Table, clock: Clock) -> None:
    """C6, C12: a call that is not sent yet, and has asked, asks again half a second after the loss."""
    call = hasty.add(b"1", 8)
    clock.now += FAIL_FAST_AFTER
    hasty.look()
    assert call.consumers is Consumers.ASKED
    clock.now += 0.1
    hasty.fail_sent(RpcConnectionLost("gone"))
    assert (call.consumers, call.next_check) == (Consumers.NOT_ASKED, clock.now + FAIL_FAST_AFTER)
    clock.now += FAIL_FAST_AFTER
    hasty.look()
    assert hasty.questions == 2


def test_question_that_was_lost_close_to_the_deadline(hasty: Table, clock: Clock) -> None:
    """C6: asking again is never put off until after the deadline."""
    call = hasty.add(b"1", 0.6)
    clock.now += 0.3
    hasty.look()
    hasty.fail_sent(RpcConnectionLost("gone"))
    assert call.next_check == call.deadline


@pytest.mark.parametrize("end", ["fail_all", "close"])
def test_question_of_calls_that_all_failed(hasty: Table, clock: Clock, end: str) -> None:
    """C6: a refusal or a close takes the question with it; a call after a refusal asks again."""
    hasty.sent(8)
    clock.now += FAIL_FAST_AFTER
    hasty.look()
    if end == "close":
        hasty.close()
        assert not hasty._question._outstanding
        return
    hasty.fail_all(RpcAccessRefused("no"))
    hasty.sent(8)
    clock.now += FAIL_FAST_AFTER
    hasty.look()
    assert hasty.questions == 2


def test_nobody_to_ask(hasty: Table, table: Table, clock: Clock) -> None:
    """C6: without a connection a fail_fast call ends when it would ask; another waits for its deadline."""
    for each, ends in ((hasty, True), (table, False)):
        each.not_connected("nobody listens")
        call = each.add(b"1", 8)
        clock.now = call.next_check
        each.look()
        assert each.questions == 1
        each.on_no_connection()
        assert call.future.done() is ends
        if ends:
            assert clock.now - 1000.0 <= FAIL_FAST_WITHIN
            assert type(error_of(call)) is RpcServerUnavailable
            assert "could not be reached in time: nobody listens" in str(error_of(call))
        else:
            assert call.consumers is Consumers.NOT_ASKED
            assert call.next_check == min(call.deadline, clock.now + FAIL_FAST_AFTER)


def test_call_that_did_not_ask(hasty: Table, clock: Clock) -> None:
    """C6: the answer to another call's question ends only who has asked."""
    asks = hasty.sent(8)
    clock.now += FAIL_FAST_AFTER
    later = hasty.sent(8)
    hasty.look()
    hasty.on_consumer_count(0)
    assert asks.future.done()
    assert not later.future.done()
    assert later.consumers is Consumers.NOT_ASKED


@pytest.mark.parametrize("which", ["question", "answer"])
def test_change_wakes_the_thread_that_watches(monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    """C6: what puts a look forward is not slept through: a lost question, an answer that asks for another."""
    table = Table(fail_fast=True)
    table.start()
    call = table.add(b"1", 60)
    wait_until(lambda: table.questions == 1, "the first look")
    if which == "question":
        table.fail_sent(RpcConnectionLost("gone"))
    else:
        call.deadline = time.monotonic() + 1.0  # whose last look is in 0.75 s
        table.on_consumer_count(1)
    wait_until(lambda: table.questions == 2, "the second look", 5)
    table.close()


# -- how calls end ---------------------------------------------------------------------------------------


def test_reply(table: Table) -> None:
    """C2: a reply ends its own call with its result."""
    first, second = table.sent(10), table.sent(10)
    table.on_reply(second.correlation_id, b"832040", JSON_TYPE, None)
    assert second.future.result(timeout=0) == 832040
    assert not first.future.done()
    assert table.stats == Stats(succeeded=1, in_flight=1)


def test_error_reply(table: Table) -> None:
    """C9, C10: a reply that carries an error ends its call with that error, as failed."""
    calls = [table.sent(10) for _ in range(2)]
    bodies = [
        b'{"error": "InvalidRequest", "message": "negative"}',
        b'{"error": "RemoteError", "type": "ValueError", "message": "boom"}',
    ]
    for call, body in zip(calls, bodies, strict=True):
        table.on_reply(call.correlation_id, body, JSON_TYPE, "error")
    refused, raised = map(error_of, calls)
    assert (type(refused), str(refused)) == (InvalidRequest, "negative")
    assert isinstance(raised, RemoteError)
    assert (raised.exception_type, raised.message) == ("ValueError", "boom")
    assert table.stats == Stats(failed=2)


def test_reply_that_cannot_be_read(table: Table, caplog: pytest.LogCaptureFixture) -> None:
    """C13: a malformed reply is counted and logged, and its call goes on waiting."""
    call = table.sent(10)
    table.on_reply(call.correlation_id, b"{" + b"x" * 1000, JSON_TYPE, None)
    assert not call.future.done()
    assert table.stats == Stats(malformed=1, in_flight=1)
    [line] = caplog.messages
    assert line.startswith(
        "malformed reply: not a reply: type None, 'application/json', body b'{xxx"
    )
    assert len(line) < 250
    table.on_reply(call.correlation_id, b"7", "text/html", None)
    assert table.stats == Stats(malformed=2, in_flight=1)


def test_replies_that_belong_to_nobody(table: Table) -> None:
    """C13: ids are told apart: one that has ended is late; what was never given out is unknown."""
    call = table.sent(10)
    mine, other = call.correlation_id, Table().add(b"1", 1).correlation_id
    call.future.cancel()
    for id_ in (mine, mine):
        table.resolve(id_, 1)
    assert table.stats == Stats(late=2)
    prefix = mine.removesuffix("1")
    strange: list[Any] = [
        None,
        "",
        b"\xff",
        other,
        f"{prefix}2",
        f"{prefix}0",
        f"{prefix}-1",
        "1",
        f"{prefix}x",
    ]
    strange += [f"{prefix}{'9' * 5000}", prefix, f"x{mine}", f"{mine}.1"]
    for id_ in strange:
        table.resolve(id_, RemoteError("x", "y"))
    assert table.stats == Stats(late=2, unknown=len(strange))


def test_id_that_is_not_given_out_yet(table: Table) -> None:
    """C13: before the first call no id is known, not even the one that it will have."""
    table.resolve(f"{table._prefix}1", 1)
    assert table.stats == Stats(unknown=1)
    assert table.sent(10).correlation_id == f"{table._prefix}1"


def test_reply_of_another_service(table: Table) -> None:
    """C13: a result is checked as the table's own service wants it."""
    table.service = Service(lambda value: value, lambda value: value)
    call = table.sent(10)
    table.on_reply(call.correlation_id, b'{"name": "x"}', JSON_TYPE, None)
    assert call.future.result(timeout=0) == {"name": "x"}


def test_duplicate(table: Table) -> None:
    """C13: a duplicate changes nothing in the call that it repeats."""
    call = table.sent(10)
    for number in (1, 2):
        table.on_reply(call.correlation_id, b"%d" % number, JSON_TYPE, None)
    assert call.future.result(timeout=0) == 1
    assert table.stats == Stats(succeeded=1, late=1)


def test_cancel(table: Table) -> None:
    """C7: cancel() takes the call out of the table; it counts nowhere, and those who wait hear of it."""
    call = table.sent(10)
    assert call.future.cancel()
    assert table.stats == Stats()
    assert wait([call.future], timeout=1).done == {call.future}
    assert table.unsent() == []


def test_calls_that_were_sent_are_lost(table: Table) -> None:
    """C12, C22: a loss fails what was sent, and counts it; what was not sent waits for the next connection."""
    sent, unsent = table.sent(10), table.add(b"2", 10)
    table.fail_sent(RpcConnectionLost("connection lost: gone"))
    assert type(error_of(sent)) is RpcConnectionLost
    assert str(error_of(sent)) == "connection lost: gone"
    assert table.unsent() == [unsent]
    assert table.stats == Stats(failed=1, in_flight=1)


def test_call_that_ends_while_others_fail(table: Table) -> None:
    """C12, C22: a call that is answered while others fail keeps its answer, and is counted once."""
    first, second = table.sent(10), table.sent(10)
    first.future.add_done_callback(lambda _: table.resolve(second.correlation_id, 7))
    table.fail_all(RpcConnectionLost("gone"))
    assert second.future.result(timeout=0) == 7
    assert table.stats == Stats(failed=1, succeeded=1)


def test_refusal(table: Table) -> None:
    """C22: a refusal fails all that is pending, sent or not, and counts it; the table goes on."""
    calls = [table.sent(10), table.add(b"2", 10)]
    table.fail_all(RpcAccessRefused("no"))
    assert [type(error_of(call)) for call in calls] == [RpcAccessRefused] * 2
    assert error_of(calls[0]) is not error_of(calls[1])
    assert table.stats == Stats(failed=2)
    table.add(b"1", 1)


def test_close(table: Table) -> None:
    """C8, C22: close() fails all that is pending, and counts it; later calls are refused; it may be repeated."""
    calls = [table.sent(10), table.add(b"2", 10)]
    table.close()
    assert [type(error_of(call)) for call in calls] == [RpcClosed] * 2
    assert str(error_of(calls[0])) == "the client was closed before the call was answered"
    assert table.stats == Stats(failed=2)
    with pytest.raises(RpcClosed, match="closed"):
        table.add(b"1", 1)
    table.close()
    assert table.stats == Stats(failed=2)


def test_close_in_the_middle_of_a_call(table: Table) -> None:
    """C8: a call that a signal's handler closes the table under is refused, whichever of the two was first."""

    class Closing(dict[str, PendingCall]):
        def __setitem__(self, id_: str, call: PendingCall) -> None:
            super().__setitem__(id_, call)
            table.close()

    table._calls = Closing()
    with pytest.raises(RpcClosed, match=r"^the client is closed$"):
        table.add(b"1", 1)
    assert table.stats == Stats(failed=1)


def test_closed_table_ends_its_thread(watched: Table) -> None:
    """C8: close() ends the thread that watches, also when it sleeps for long."""
    watched.sent(1000)
    watched.close()
    assert watched.deadline_thread is not None
    watched.deadline_thread.join(5)
    assert not watched.deadline_thread.is_alive()


def test_reconnects(table: Table) -> None:
    """C22: every connection counts as a reconnect, but the first."""
    for reconnects in range(3):
        table.connected()
        assert table.stats == Stats(reconnects=reconnects)
    assert type(table.stats.reconnects) is int


def test_unsent_calls_are_in_order(table: Table) -> None:
    """C12: calls that wait for a connection are sent oldest first."""
    calls = [table.add(b"1", 10) for _ in range(5)]
    calls[2].sent = True
    assert table.unsent() == [call for call in calls if not call.sent]


def test_returned_request(table: Table, clock: Clock) -> None:
    """C6, C12: a request that found no queue is sent once more; the second time nobody serves it."""
    call = table.sent(10)
    for id_ in (None, "", "unknown"):
        table.on_returned(id_)
    assert table.again == []
    table.on_returned(call.correlation_id)
    assert table.again == [call]
    assert (call.sent, call.returned) == (False, True)
    call.sent = True
    table.on_returned(call.correlation_id)
    assert table.again == [call]
    assert not call.future.done()
    clock.now = call.deadline
    table.look()
    assert str(error_of(call)) == "no server consumes the request queue"


def test_deadline_of_a_returned_request(table: Table, clock: Clock) -> None:
    """C6: a request that found no queue, and is not sent again: nobody serves; sent again: nothing is known."""
    for sent_again, error, says in (
        (False, RpcServerUnavailable, "no server consumes the request queue"),
        (True, RpcTimeout, "no answer before the deadline"),
    ):
        call = table.sent(10)
        table.on_returned(call.correlation_id)
        call.sent = sent_again
        clock.now = call.deadline
        table.look()
        assert type(error_of(call)) is error
        assert str(error_of(call)) == says


def test_returned_request_with_fail_fast(hasty: Table) -> None:
    """C6: with fail_fast a request that found no queue twice fails then, and no other call with it."""
    call, other = hasty.sent(10), hasty.sent(10)
    hasty.on_returned(call.correlation_id)
    assert not call.future.done()
    call.sent = True
    hasty.on_returned(call.correlation_id)
    assert type(error_of(call)) is RpcServerUnavailable
    assert str(error_of(call)) == "no server consumes the request queue"
    assert not other.future.done()
    assert hasty.told == 1


def test_counter(table: Table) -> None:
    """C22: a counter is added to; the snapshot taken before stays as it was."""
    before = table.stats
    table.count("sent")
    table.count("sent", 3)
    assert (before, table.stats) == (Stats(), Stats(sent=4))


# -- callbacks, and threads ------------------------------------------------------------------------------


def test_call_in_a_callback_of_a_deadline(watched: Table) -> None:
    """C4: a callback that waits, in the thread that watches, keeps its deadline, and others keep theirs."""
    ends: list[Any] = []

    def call_again(_: "Future[int]") -> None:
        try:
            watched.wait_for(watched.sent(0.1).future)
        except RpcTimeout as error:
            ends.append(error)

    watched.sent(0.05).future.add_done_callback(call_again)
    wait_until(lambda: len(ends) == 1, "the call in the callback to end", 5)
    assert isinstance(watched.sent(0.05).future.exception(timeout=5), RpcTimeout)
    watching = [thread for thread in threading.enumerate() if thread.name == "rpc-deadlines"]
    wait_until(lambda: sum(thread.is_alive() for thread in watching) <= 1, "the other to end", 5)


def test_no_thread_for_a_callback(watched: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """C4: when no second thread is to be had, the first goes on watching afterwards."""
    ends: list[BaseException] = []
    first = watched.deadline_thread

    def call_again(_: "Future[int]") -> None:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse_thread)
            try:
                watched.wait_for(watched.sent(0.1).future)
            except RuntimeError as error:
                ends.append(error)

    watched.sent(0.05).future.add_done_callback(call_again)
    wait_until(lambda: len(ends) == 1, "the callback to end", 5)
    assert watched.deadline_thread is first
    assert isinstance(watched.sent(0.05).future.exception(timeout=5), RpcTimeout)


def in_a_thread(act: Callable[[], object]) -> None:
    """Do something in a thread that is not the main one, and wait."""
    thread = threading.Thread(target=act)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


def test_callback_that_exits(table: Table, caplog: pytest.LogCaptureFixture) -> None:
    """C3: a callback's SystemExit is logged, and passes only where it may be Ctrl-C: in the main thread."""
    call = table.sent(10)
    call.future.add_done_callback(lambda _: sys.exit())
    in_a_thread(lambda: table.resolve(call.correlation_id, 1))
    assert caplog.messages == ["a future's callback raised"]
    other = table.sent(10)
    other.future.add_done_callback(lambda _: sys.exit())
    with pytest.raises(SystemExit):
        table.resolve(other.correlation_id, 1)


@pytest.mark.parametrize("outcome", [7, RemoteError("x", "y")], ids=["result", "error"])
def test_future_that_somebody_ended(
    table: Table, caplog: pytest.LogCaptureFixture, outcome: Any
) -> None:
    """C3: a future that its owner has ended keeps what he gave it; that is logged."""
    call = table.sent(10)
    call.future.set_result(0)
    resolve_future(call, outcome)
    assert call.future.result(timeout=0) == 0
    assert caplog.messages[-1] == "somebody else has ended a call's future"


def test_future_that_was_cancelled_just_now(table: Table, caplog: pytest.LogCaptureFixture) -> None:
    """C7: a reply that meets a future cancelled in this moment changes nothing."""
    call = table.sent(10)
    assert table._take(call.correlation_id, "succeeded") is call
    call.future.cancel()
    resolve_future(call, 7)
    assert call.future.cancelled()
    assert caplog.text == ""


def test_messages_are_shown(table: Table, caplog: pytest.LogCaptureFixture) -> None:
    """Names: with the log at DEBUG a reply is shown as it passes, cut to what can be read."""
    caplog.set_level(logging.DEBUG)
    table.on_reply("x", b"1" * 4000, JSON_TYPE, None)
    assert caplog.messages == [f"<- reply x: {str(b'1' * 4000)[:100]}"]
