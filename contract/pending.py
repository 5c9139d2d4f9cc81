"""The calls a client waits for: correlation ids, deadlines, counters (C2, C4, C6, C7, C8, C13, C22).

One thread watches the deadlines, so that a call ends in time whatever its layer is doing: reconnecting,
blocked in a write, or talking to a broker that went silent. A call that is answered before its deadline
costs that thread nothing: it sleeps until the earliest deadline it knew of when it last looked.
"""

import itertools
import logging
import math
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import Future, InvalidStateError
from functools import partial
from typing import NamedTuple

from contract.errors import MalformedReply, RpcClosed, RpcError, RpcServerUnavailable, RpcTimeout
from contract.wire import decode_reply

MAX_TIMEOUT = 4_294_967.0
"""Seconds, about 49 days: RabbitMQ's `expiration` is an unsigned 32-bit number of milliseconds."""

# Seconds until a `fail_fast` call asks whether anyone serves; a restart is quicker.
FAIL_FAST_AFTER = 0.5
FAIL_FAST_LIMIT = 0.9  # seconds until it stops waiting for that answer (C6: within one second)
ASK_BEFORE_DEADLINE = 0.25  # seconds: the answer must be there when the deadline is
SCAN_INTERVAL = 0.01  # seconds between looks at the deadlines, at the least (C4 allows 0.1)

log = logging.getLogger(__name__)


class Stats(NamedTuple):
    """C22: a client's counters at one moment. Every call ends in succeeded, failed, timed_out, or by cancel()."""

    sent: int = 0  # requests handed to the broker
    succeeded: int = 0
    failed: int = 0  # with any error but a timeout
    timed_out: int = 0
    late: int = 0  # replies to a call that had ended: too late, cancelled, or a duplicate
    unknown: int = 0  # replies with no correlation id, or one that this client never gave out
    malformed: int = 0  # replies that could not be read
    reconnects: int = 0
    in_flight: int = 0


class PendingCall:
    """One call that is not answered yet. `sent` belongs to the layer that sends it."""

    __slots__ = ("asked", "body", "correlation_id", "deadline", "due", "future", "nobody", "sent")

    def __init__(self, correlation_id: str, body: bytes, deadline: float, due: float) -> None:
        self.correlation_id = correlation_id
        self.body = body
        self.deadline = deadline  # time.monotonic()
        self.due = due  # when the watcher has to look at it next
        self.asked = False  # whether an answer to "does anyone serve?" is awaited
        self.nobody = False  # that answer
        self.sent = False
        self.future: Future[int] = Future()

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; not positive when it has passed."""
        return self.deadline - time.monotonic()

    @property
    def expiration(self) -> str:
        """C5: the remaining time in milliseconds, as AMQP's `expiration` property wants it."""
        return str(max(0, int(self.remaining * 1000)))


class PendingCalls:
    """The table of pending calls. Any thread may use it; futures are resolved outside its lock.

    `ask_for_consumers` is called, from the watching thread, when the layer should find out how many servers
    consume the request queue and say so to `consumers_counted`. It must neither block nor raise.
    """

    def __init__(self, *, fail_fast: bool, ask_for_consumers: Callable[[], None]) -> None:
        self._fail_fast = fail_fast
        self._ask_for_consumers = ask_for_consumers
        self._prefix = f"{uuid.uuid4().hex}."
        self._numbers = itertools.count(1)
        self._given_out = 0
        self._calls: dict[str, PendingCall] = {}
        self._counters = dict.fromkeys(Stats._fields[:-1], 0)
        self._closed = False
        self._was_connected = False
        self._asking = False
        self._wake_at = math.inf
        self._mutex = threading.RLock()  # a signal's handler or a finaliser may come in
        self._changed = threading.Condition(self._mutex)
        self.watcher = threading.Thread(target=self._watch, name="rpc-deadlines", daemon=True)
        self.watcher.start()

    def add(self, body: bytes, timeout: float) -> PendingCall:
        """Enter a call that has `timeout` seconds, and return it with its future.

        Raises:
            RpcClosed: the client is closed.
            ValueError: the timeout is not a finite number of seconds, or over `MAX_TIMEOUT`.
        """
        if check_timeout(timeout) <= 0:
            self.count("timed_out")
            raise RpcTimeout("the deadline had passed before the call was made")
        now = time.monotonic()
        deadline = now + timeout
        if self._fail_fast:
            due = now + min(FAIL_FAST_AFTER, timeout / 2)
        else:
            due = deadline - min(ASK_BEFORE_DEADLINE, timeout / 2)
        with self._mutex:
            number = self._given_out = next(self._numbers)
            call = PendingCall(f"{self._prefix}{number}", body, deadline, due)
            self._calls[call.correlation_id] = call
            if self._closed:  # last: a signal's handler may have closed it just now
                self._calls.pop(call.correlation_id, None)
                raise RpcClosed("the client is closed")
            if due < self._wake_at:
                self._wake_at = due
                self._changed.notify()
        # by id: a reference to the call would make a cycle, left to the garbage collector at every call
        call.future.add_done_callback(partial(self._on_done, call.correlation_id))
        return call

    def unsent(self) -> list[PendingCall]:
        """The calls that wait for a connection, oldest first."""
        with self._mutex:
            return [call for call in self._calls.values() if not call.sent]

    def count(self, counter: str, amount: int = 1) -> None:
        """Add to one of the counters that `Stats` names."""
        with self._mutex:
            self._counters[counter] += amount

    @property
    def in_flight(self) -> int:
        """How many calls have not ended."""
        return len(self._calls)

    @property
    def stats(self) -> Stats:
        """C22: the counters now."""
        with self._mutex:
            return Stats(**self._counters, in_flight=self.in_flight)

    # -- how calls end ------------------------------------------------------------------------------

    def on_reply(
        self, id_: str | None, body: bytes, content_type: str | None, type_: str | None
    ) -> None:
        """Resolve the call that a reply belongs to; count a reply that belongs to none (C2, C13)."""
        log.debug("<- reply %s: %.100r", id_, body)
        try:
            outcome = decode_reply(body, content_type, type_)
        except MalformedReply as error:
            log.warning("%s", error)
            self.count("malformed")
        else:
            self.resolve(id_, outcome)

    def resolve(self, correlation_id: str | None, outcome: int | RpcError) -> None:
        """End one call with its result or its error, unless it has ended already (C13)."""
        call = self._take(
            correlation_id, "failed" if isinstance(outcome, RpcError) else "succeeded"
        )
        if call is not None:
            finish(call, outcome)

    def connected(self) -> None:
        """Count a reconnect (C22): every connection that became ready, but the first."""
        with self._mutex:
            self._counters["reconnects"] += self._was_connected
            self._was_connected = True

    def fail_sent(self, error: RpcError) -> None:
        """C12: fail the calls that may have run. Those that were not sent yet go on waiting."""
        self._asking = False  # the answer was lost with the connection
        self._fail([call for call in self._snapshot() if call.sent], error, "failed")

    def fail_all(self, error: RpcError) -> None:
        """Fail every pending call."""
        self._fail(self._snapshot(), error, "failed")

    def close(self) -> None:
        """C8: fail what is pending, refuse what comes, have the watching thread end. Idempotent."""
        with self._mutex:
            self._closed = True
            self._changed.notify()
        self.fail_all(RpcClosed("the client was closed before the call was answered"))

    def consumers_counted(self, count: int | None) -> None:
        """C6: the layer's answer to `ask_for_consumers`; 0 without a connection, None if it cannot find out."""
        self._asking = False
        asked = [call for call in self._snapshot() if call.asked]
        with self._mutex:
            for call in asked:
                call.asked, call.nobody = False, count == 0
                call.due = call.deadline
                if self._fail_fast and count != 0 and call.remaining > 2 * ASK_BEFORE_DEADLINE:
                    call.due -= ASK_BEFORE_DEADLINE  # servers may leave meanwhile: ask once more
        if self._fail_fast and count == 0:
            self._expire(asked)

    def wait_for(self, future: "Future[int]") -> int:
        """Wait until a call has ended, at its deadline at the latest, and return its result or raise its error."""
        if threading.current_thread() is self.watcher:
            # in a callback: nobody else watches the deadlines
            future.add_done_callback(self._wake)
            self._watch(until=future)
        return future.result()

    def _wake(self, _future: "Future[int]") -> None:
        with self._mutex:
            self._changed.notify()

    def _watch(self, until: "Future[int] | None" = None) -> None:
        while until is None or not until.done():
            self._end_what_is_due()  # apart: while this waits, no call must be kept by a variable
            with self._mutex:
                if self._closed or (until is not None and until.done()):
                    return  # close() has ended all calls
                self._wake_at = min((call.due for call in self._calls.values()), default=math.inf)
                pause = max(self._wake_at - time.monotonic(), SCAN_INTERVAL)
                self._changed.wait(min(pause, threading.TIMEOUT_MAX))

    def _end_what_is_due(self) -> None:
        now = time.monotonic()
        ask, expired = False, []
        for call in self._snapshot():
            if call.due > now:
                continue
            if call.asked or call.deadline <= now:
                expired.append(call)
            else:
                ask = call.asked = True
                call.due = call.deadline
                if self._fail_fast:
                    call.due = min(call.due, now + FAIL_FAST_LIMIT - FAIL_FAST_AFTER)
        if ask and not self._asking:  # an answer that is under way will do for these as well
            self._asking = True
            self._ask_for_consumers()
        self._expire(expired)

    def _expire(self, calls: Iterable[PendingCall]) -> None:
        for call in calls:
            if not call.sent:
                error: RpcTimeout = RpcServerUnavailable("the broker could not be reached in time")
            elif call.nobody or (call.asked and self._fail_fast):
                error = RpcServerUnavailable("no server consumes the request queue")
            else:
                error = RpcTimeout("no answer before the deadline")
            self._fail([call], error, "timed_out")

    def _fail(self, calls: Iterable[PendingCall], error: RpcError, counter: str) -> None:
        for call in calls:
            with self._mutex:
                pending = self._calls.pop(call.correlation_id, None) is not None
                self._counters[counter] += pending
            if pending:
                # one instance per caller: a traceback is attached to each where it is raised
                finish(call, type(error)(*error.args))

    def _take(self, id_: str | None, counter: str) -> PendingCall | None:
        """Remove and return the call with this id; classify an id that has none."""
        with self._mutex:
            call = self._calls.pop(id_, None) if id_ else None
            if call is None:
                counter = "late" if self._was_ours(id_) else "unknown"
            self._counters[counter] += 1
            return call

    def _was_ours(self, id_: object) -> bool:
        # ids are numbered, so a finished call is recognised without remembering it (C21)
        if not isinstance(id_, str):  # none, or bytes: pika leaves those where it finds no UTF-8
            return False
        prefix, dot, number = id_.rpartition(".")
        return (
            prefix + dot == self._prefix
            and number.isdecimal()
            and 0 < int(number[:20]) <= self._given_out
        )

    def _on_done(self, correlation_id: str, future: "Future[int]") -> None:
        if future.cancelled():
            with self._mutex:
                call = self._calls.pop(correlation_id, None)
            if call is not None:
                # `concurrent.futures.wait` and `as_completed` hear of a cancellation only through this
                future.set_running_or_notify_cancel()

    def _snapshot(self) -> list[PendingCall]:
        with self._mutex:
            return list(self._calls.values())


def finish(call: PendingCall, outcome: int | RpcError) -> None:
    """Resolve a call's future, unless its owner cancelled it in this very moment."""
    try:
        if not call.future.set_running_or_notify_cancel():
            return
        if isinstance(outcome, RpcError):
            call.future.set_exception(outcome)
        else:
            call.future.set_result(outcome)
    except (RuntimeError, InvalidStateError):
        log.exception("somebody else has ended a call's future")
    except BaseException:
        # a callback's SystemExit: a future lets it pass, and this thread is needed
        if threading.current_thread() is threading.main_thread():  # there it may be Ctrl-C
            raise
        log.exception("a future's callback raised")


def check_timeout(timeout: float) -> float:
    """Return a timeout in seconds that can be kept.

    Raises:
        ValueError: it is not a number of seconds, or not a finite one up to `MAX_TIMEOUT`.
    """
    if (
        isinstance(timeout, bool)
        or not isinstance(timeout, int | float)
        or not timeout <= MAX_TIMEOUT
    ):
        raise ValueError(
            f"timeout must be a number of seconds up to {MAX_TIMEOUT:.0f}, not {timeout!r:.50}"
        )
    return timeout
