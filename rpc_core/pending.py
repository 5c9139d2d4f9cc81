"""The calls a client waits for: correlation ids, deadlines, counters (C2, C4, C7, C8, C13, C22).

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
from contextlib import suppress
from functools import partial
from typing import Any

from contract.client import Stats
from contract.errors import MalformedReply, RpcClosed, RpcError, RpcServerUnavailable, RpcTimeout
from contract.service import FIBONACCI, Service
from contract.wire import decode_reply
from rpc_core.consumers import ConsumerQuestion, Consumers
from rpc_core.limits import SCAN_INTERVAL
from rpc_core.options import check_timeout

log = logging.getLogger(__name__)


class PendingCall:
    """One call that is not answered yet."""

    __slots__ = (
        "body",
        "consumers",
        "correlation_id",
        "deadline",
        "future",
        "next_check",
        "returned",
        "sent",
    )

    def __init__(
        self, correlation_id: str, body: bytes, deadline: float, next_check: float
    ) -> None:
        self.correlation_id = correlation_id
        self.body = body
        self.deadline = deadline  # time.monotonic()
        self.next_check = next_check  # when the deadline thread has to look at it next
        self.consumers = Consumers.NOT_ASKED
        self.sent = False
        self.returned = False  # by the broker once, because the request queue was gone
        self.future: Future[Any] = Future()

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, and never less than 0."""
        return max(0.0, self.deadline - time.monotonic())

    @property
    def expiration(self) -> str:
        """C5: the remaining time in milliseconds, as AMQP's `expiration` property wants it."""
        return str(int(self.remaining * 1000))


class PendingCalls:
    """The table of pending calls. Any thread may use it; futures are resolved outside its lock.

    `request_consumer_count` is called when somebody should find out how many servers consume the request queue,
    and say so to `on_consumer_count`; `on_timed_out` when calls have just ended; `send_again` with a call that the
    broker returned. None of them may block or raise.
    """

    def __init__(
        self,
        *,
        fail_fast: bool,
        request_consumer_count: Callable[[], None],
        on_timed_out: Callable[[], None],
        send_again: Callable[[PendingCall], None],
        service: Service = FIBONACCI,
    ) -> None:
        self._question = ConsumerQuestion(fail_fast=fail_fast)
        self._request_consumer_count = request_consumer_count
        self._on_timed_out = on_timed_out
        self._send_again = send_again
        self.service = service
        self._prefix = f"{uuid.uuid4().hex}."
        self._numbers = itertools.count(1)
        self._given_out = 0
        self._calls: dict[str, PendingCall] = {}
        self._counters = dict.fromkeys(Stats._fields[:-1], 0)
        self._closed = False
        self._was_connected = False
        self._last_failure = ""  # why there is no connection
        self._wake_at = math.inf
        self._mutex = threading.RLock()  # a signal's handler or a finaliser may come in
        self._changed = threading.Condition(self._mutex)
        self.deadline_thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch the deadlines.

        Raises:
            RuntimeError: no thread is to be had.
        """
        thread = threading.Thread(target=self._watch, name="rpc-deadlines", daemon=True)
        before, self.deadline_thread = self.deadline_thread, thread
        try:
            thread.start()
        except RuntimeError:
            self.deadline_thread = before
            raise

    def add(self, body: bytes, timeout: float) -> PendingCall:
        """Enter a call that has `timeout` seconds, and return it with its future.

        Raises:
            RpcClosed: the client is closed.
            RpcTimeout: the timeout is not positive.
            ValueError: the timeout is not a finite number of seconds, or over `MAX_TIMEOUT`.
        """
        if check_timeout(timeout) <= 0:
            self.count("timed_out")
            raise RpcTimeout("the deadline had passed before the call was made")
        now = time.monotonic()
        next_check = self._question.first_check(now, timeout)
        with self._mutex:
            number = self._given_out = next(self._numbers)
            call = PendingCall(f"{self._prefix}{number}", body, now + timeout, next_check)
            self._calls[call.correlation_id] = call
            if self._closed:  # last: a signal's handler may have closed it just now
                self._calls.pop(call.correlation_id, None)
                raise RpcClosed("the client is closed")
            if next_check < self._wake_at:
                self._wake_at = next_check
                self._changed.notify()
        # passing the id, not the call, avoids a reference cycle per call
        call.future.add_done_callback(partial(self._on_done, call.correlation_id))
        return call

    def unsent(self) -> list[PendingCall]:
        """The calls that wait for a connection, oldest first."""
        return [call for call in self._snapshot() if not call.sent]

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
            outcome = decode_reply(body, content_type, type_, self.service)
        except MalformedReply as error:
            self.on_malformed_reply(error)
        else:
            self.resolve(id_, outcome)

    def on_malformed_reply(self, error: Exception) -> None:
        """Count a reply that cannot be read (C13)."""
        self.count("malformed")
        log.warning("malformed reply: %.200s", error)

    def resolve(self, correlation_id: str | None, outcome: Any | RpcError) -> None:
        """End one call with its result or its error, unless it has ended already (C13)."""
        call = self._take(
            correlation_id, "failed" if isinstance(outcome, RpcError) else "succeeded"
        )
        if call is not None:
            resolve_future(call, outcome)

    def connected(self) -> None:
        """Count a reconnect (C22): every connection that became ready, but the first."""
        with self._mutex:
            self._counters["reconnects"] += self._was_connected
            self._was_connected = True
            self._last_failure = ""

    def not_connected(self, reason: str) -> None:
        """Note why an attempt to connect failed, for the errors of calls that wait for it in vain."""
        self._last_failure = f": {reason}"

    def on_returned(self, id_: str | None) -> None:
        """C6, C12: the broker found no queue for a request, so it has not run, and is sent once more."""
        call = self._calls.get(id_ or "")
        if call is None:
            return
        if not call.returned:
            call.returned, call.sent = True, False
            self._send_again(call)
            return
        if self._question.returned_twice(call):
            self._expire([call])

    def fail_sent(self, error: RpcError) -> None:
        """C12: fail the calls that may have run. Those that were not sent yet go on waiting."""
        self._fail([call for call in self._snapshot() if call.sent], error, "failed")
        with self._mutex:
            self._question.lost(self._asking(), time.monotonic())
            self._changed.notify()

    def fail_all(self, error: RpcError) -> None:
        """Fail every pending call."""
        self._fail(self._snapshot(), error, "failed")
        with self._mutex:
            self._question.lost((), time.monotonic())

    def close(self) -> None:
        """C8: fail what is pending, refuse what comes, have the deadline thread end. Idempotent."""
        with self._mutex:
            self._closed = True
            self._changed.notify()
        self.fail_all(RpcClosed("the client was closed before the call was answered"))

    def on_consumer_count(self, count: int) -> None:
        """C6: the answer to `request_consumer_count`."""
        with self._mutex:
            asking = self._asking()
            if not self._question.answered(count, asking, time.monotonic()):
                self._changed.notify()
                return
        self._expire(asking)

    def on_no_connection(self) -> None:
        """C6: there is no connection to ask on: whoever may not wait for one ends now."""
        with self._mutex:
            asking = self._asking()
            self._question.lost(asking, time.monotonic())
        if self._question.fail_fast:
            self._expire(asking)

    def wait_for(self, future: "Future[Any]") -> Any:
        """Wait until a call has ended, at its deadline at the latest, and return its result or raise its error."""
        if threading.current_thread() is self.deadline_thread:
            self.start()  # in a callback, in the deadline thread: another has to watch meanwhile
        return future.result()

    def _watch(self) -> None:
        while True:
            try:
                self._end_expired()  # in a function of its own, so that no local variable keeps a call alive
                with self._mutex:
                    if self._closed or threading.current_thread() is not self.deadline_thread:
                        return  # close() has ended all calls, or another thread watches now
                    checks = (call.next_check for call in self._calls.values())
                    self._wake_at = min(checks, default=math.inf)
                    pause = max(self._wake_at - time.monotonic(), SCAN_INTERVAL)
                    self._changed.wait(min(pause, threading.TIMEOUT_MAX))
            except Exception:
                # a logging handler's own, say: the next deadline must be kept all the same
                with suppress(Exception):
                    log.exception("watching the deadlines")

    def _end_expired(self) -> None:
        now = time.monotonic()
        ask, expired = False, []
        for call in self._snapshot():
            if call.deadline <= now:
                expired.append(call)
            elif call.next_check <= now:
                with self._mutex:
                    ask |= self._question.ask(call)
        if ask:
            self._request_consumer_count()
        if expired:
            self._expire(expired)

    def _expire(self, calls: Iterable[PendingCall]) -> None:
        for call in calls:
            error: RpcTimeout
            if call.consumers is Consumers.NO_CONSUMERS or (call.returned and not call.sent):
                error = RpcServerUnavailable("no server consumes the request queue")
            elif not call.sent:
                error = RpcServerUnavailable(
                    f"the broker could not be reached in time{self._last_failure}"
                )
            else:
                error = RpcTimeout("no answer before the deadline")
            self._fail([call], error, "timed_out")
        self._on_timed_out()

    def _fail(self, calls: Iterable[PendingCall], error: RpcError, counter: str) -> None:
        for call in calls:
            with self._mutex:
                pending = self._calls.pop(call.correlation_id, None) is not None
                self._counters[counter] += pending
            if pending:
                # one instance per caller: a traceback is attached to each where it is raised
                resolve_future(call, type(error)(*error.args))

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

    def _on_done(self, correlation_id: str, future: "Future[Any]") -> None:
        if future.cancelled():
            with self._mutex:
                call = self._calls.pop(correlation_id, None)
            if call is not None:
                # `concurrent.futures.wait` and `as_completed` hear of a cancellation only through this
                future.set_running_or_notify_cancel()

    def _snapshot(self) -> list[PendingCall]:
        with self._mutex:
            return list(self._calls.values())

    def _asking(self) -> list[PendingCall]:
        return [call for call in self._calls.values() if call.consumers is Consumers.ASKED]


def resolve_future(call: PendingCall, outcome: Any | RpcError) -> None:
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
