"""The client, for every layer the same: `call`, `submit`, `close`, staying connected.

A layer provides a `Link`: one connection, from opening until it is closed or lost. It is never mended or used
again; a lost one is dropped and another is opened. So a link knows nothing of deadlines, threads or outages.
"""

import logging
import os
import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import replace
from types import TracebackType
from typing import ClassVar, Generic, Protocol, Self, TypeVar

from contract.client import Stats
from contract.errors import RpcAccessRefused, RpcClosed, RpcConnectionLost
from contract.limits import DEFAULT_HEARTBEAT, DEFAULT_TIMEOUT
from contract.service import FIBONACCI, Service
from contract.wire import encode_request
from rpc_core.addresses import broker_urls
from rpc_core.connecting import Backoff, open_any
from rpc_core.options import ClientOptions, check_heartbeat, check_queue, check_timeout
from rpc_core.pending import PendingCall, PendingCalls
from rpc_core.reading import Reading, SignalSafeEvent
from rpc_core.refusals import Failure
from rpc_core.request_queue import Arguments, declared_arguments, open_as_it_is

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")


class Link(Protocol):
    """One connection of a client. One thread at a time uses it; only `wake` may come from another.

    Building it connects to one broker, or raises. It hands every reply to `pending`.
    """

    def __init__(self, url: str, options: ClientOptions, pending: PendingCalls) -> None: ...

    def declare(self) -> None:
        """Declare the request queue, and a callback queue of its own."""

    def consume(self) -> None:
        """Consume the callback queue."""

    @staticmethod
    def failure(error: BaseException) -> Failure:
        """Return what an exception of this link's comes down to."""
        ...

    def publish(self, call: PendingCall) -> None:
        """Send one request, now or at the next `read`, with its id, its callback queue and the time left to it.

        As `mandatory`: without a queue for it the broker returns it, and that goes to `pending.on_returned`.
        """

    def read(self) -> None:
        """Send what is unsent; wait for something, or `wake`, and handle it; raise if the connection is lost."""

    @property
    def is_waiting(self) -> bool:
        """Whether `read` only waits, so that an exception there leaves the connection whole; or always False."""
        ...

    def wake(self) -> None:
        """End the wait in `read`, or the next one. From any thread, also in a signal's handler."""

    def count_consumers(self) -> None:
        """Ask how many consumers the request queue has, by declaring it again: if it is gone, that makes it (C6).

        The answer goes to `pending.on_consumer_count`.
        """

    def close(self) -> None:
        """Tell the broker, wait for its answer for `CLOSE_TIMEOUT` at most, and free everything."""

    def drop(self) -> None:
        """Free everything without a word to the broker, which may be silent. Never raises."""


class BaseClient(Generic[Asked, Answered]):
    """The contract's `RpcClient`, but for the connection."""

    link: ClassVar[type[Link]]  # the layer's
    service: ClassVar[Service] = FIBONACCI
    log: ClassVar[logging.Logger] = logging.getLogger(__name__)
    pending_calls: ClassVar[type[PendingCalls]] = PendingCalls

    def __init__(
        self,
        url: str | None = None,
        *,
        queue: str = "rpc_queue",
        timeout: float = DEFAULT_TIMEOUT,
        fail_fast: bool = False,
        heartbeat: int = DEFAULT_HEARTBEAT,
        queue_type: str | None = None,
    ) -> None:
        self._urls = broker_urls(url)
        self._options = ClientOptions(
            check_queue(queue),
            queue_type,
            declared_arguments(queue_type),
            check_heartbeat(heartbeat),
        )
        self._timeout = check_timeout(timeout)
        self._pending = self.pending_calls(
            fail_fast=fail_fast,
            request_consumer_count=self._request_consumer_count,
            on_timed_out=self._wake,
            send_again=self._send_again,
            service=self.service,
        )
        self._backoff = Backoff(self.log, self._urls)
        self._link: Link | None = None  # None while there is no connection
        self._outbox: deque[PendingCall] = deque()  # for the background thread to send
        self._consumer_count_wanted = False
        self._reading = Reading()
        # a call found no connection: after a refusal, try again
        self._call_waiting = SignalSafeEvent()
        self._closing = threading.Event()
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._run, name="rpc-connection", daemon=True)
        try:
            self._pending.start()
            self._thread.start()
        except BaseException:
            self._pending.close()  # a constructor that fails leaves no thread behind (C8)
            raise

    # -- in the caller's thread ---------------------------------------------------------------------

    def call(self, n: Asked, *, timeout: float | None = None) -> Answered:
        """See `contract.RpcClient.call`."""
        call = self._enter(n, timeout)
        try:
            if not self._reading.use_until_done(call, self._publish, self._read, self._is_waiting):
                self._leave_to_background(call)
            answer: Answered = self._pending.wait_for(call.future)
            return answer
        finally:
            call.future.cancel()  # C7: for a wait that Ctrl-C cut short

    def submit(self, n: Asked, *, timeout: float | None = None) -> "Future[Answered]":
        """See `contract.RpcClient.submit`."""
        call = self._enter(n, timeout)
        try:
            self._leave_to_background(call)
        except BaseException:
            call.future.cancel()  # C7: Ctrl-C, before the caller has the future
            raise
        return call.future

    def _enter(self, n: Asked, timeout: float | None) -> PendingCall:
        if os.getpid() != self._process:
            raise RpcClosed(
                "this client was made before a fork() and works in the process that made it; "
                "make another one after the fork"
            )
        return self._pending.add(encode_request(n), self._timeout if timeout is None else timeout)

    def _leave_to_background(self, call: PendingCall) -> None:
        self._outbox.append(call)
        self._reading.hand_to_background()
        if self._link is None:
            self._call_waiting.set()
        self._wake()

    @property
    def stats(self) -> Stats:
        """See `contract.RpcClient.stats`."""
        return self._pending.stats

    def close(self) -> None:
        """See `contract.RpcClient.close`."""
        if os.getpid() != self._process:
            return  # the connection is the parent's
        self._pending.close()
        self._closing.set()
        self._reading.hand_to_background()
        self._call_waiting.set()
        self._wake()
        threads = (self._thread, self._pending.deadline_thread)
        if threading.current_thread() not in threads and not self._reading.is_mine():
            for thread in filter(None, threads):
                thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        type_: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -- in the thread that uses the connection -------------------------------------------------------

    def _publish(self, call: PendingCall) -> None:
        if call.sent or call.future.done() or self._link is None:
            return  # C12: without a connection it waits in `pending`, and is sent once there is one
        call.sent = True  # first: if `publish` raises, the broker may have it all the same (C12)
        if not call.returned:
            self._pending.count("sent")
        self.log.debug("-> request %s: %r", call.correlation_id, call.body)
        self._link.publish(call)

    def _read(self) -> None:
        if self._link is not None:
            self._link.read()

    def _is_waiting(self) -> bool:
        link = self._link
        return link is None or link.is_waiting

    # -- in the background thread: connect, send, read, connect again (C12) ---------------------------

    def _run(self) -> None:
        self._reading.begin()
        while not self._closing.is_set():
            was_ready = False
            try:
                self._link = link = open_any(
                    self._urls, self._open, self.link.failure, self._closing.is_set
                )
                was_ready = True
                self._backoff.reset()
                self._pending.connected()
                self._outbox.extend(self._pending.unsent())
                self._work()
                link.close()
            except Exception as error:
                self._on_failure(self.link.failure(error), was_ready)
        self._link = None
        self._reading.end()

    def _work(self) -> None:
        assert self._link is not None
        while not self._closing.is_set():
            if self._consumer_count_wanted:
                self._consumer_count_wanted = False
                self._link.count_consumers()
            while self._outbox:
                self._publish(self._outbox.popleft())
            self._link.read()
            if self._is_idle():  # a look first: with many in flight each of these is some us
                self._reading.step_aside(self._is_idle)

    def _is_idle(self) -> bool:
        return not self._pending.in_flight

    def _on_failure(self, failure: Failure, was_ready: bool) -> None:
        link, self._link = self._link, None
        self._outbox.clear()  # no call is lost: those not sent are in `pending` too, and `unsent` returns them
        if link is not None:
            link.drop()
        if self._closing.is_set():
            return
        if failure.is_permanent(was_ready):  # no retry loop: the next call tries again
            self._call_waiting.clear()
            self._pending.fail_all(RpcAccessRefused(f"the broker refused: {failure.cause!r}"))
            if not self._closing.is_set():  # close() sets this before `_call_waiting`
                self._call_waiting.wait()
        else:
            self._pending.fail_sent(RpcConnectionLost(f"connection lost: {failure.cause!r}"))
            self._pending.not_connected(repr(failure.cause))
            self._backoff.wait(failure, self._closing.wait)

    def _open(self, url: str) -> Link:
        def connect(arguments: Arguments) -> Link:
            return self.link(url, replace(self._options, queue_arguments=arguments), self._pending)

        def declare(link: Link) -> None:
            link.declare()
            link.consume()

        return open_as_it_is(connect, declare, self.link.failure, self._options.queue_type)

    # -- in any thread ----------------------------------------------------------------------------------

    def _wake(self) -> None:
        link = self._link
        if link is not None:
            link.wake()

    def _send_again(self, call: PendingCall) -> None:
        # which declares the queue again, before the call is sent
        self._consumer_count_wanted = True
        self._leave_to_background(call)

    def _request_consumer_count(self) -> None:
        if self._link is None:
            self._pending.on_no_connection()
        else:
            self._consumer_count_wanted = True
            self._reading.hand_to_background()
            self._wake()
