"""The server, for layers that have none of their own (pika, kombu): take, compute, reply, stop, connect again.

As the client's, a layer's `Link` is one connection, from opening until it is closed or lost. One thread at a time
uses it: the main thread, or while that computes, the one that keeps the connection alive (C16).
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from contract.wire import Reply, handle_request
from rpc_core.connecting import ServerBackoff, open_any
from rpc_core.limits import HOLD_BACK
from rpc_core.programs import EXIT_REFUSED, ServerOptions, StopSignals, print_ready
from rpc_core.refusals import Failure
from rpc_core.request_queue import Arguments, open_as_it_is
from rpc_core.workers import KeepAlive, Workers


@dataclass(eq=False, slots=True)
class Request:
    """One delivered request. `delivery` is the layer's own, by which it acknowledges."""

    body: bytes
    content_type: str | None
    reply_to: str | None
    correlation_id: Any  # text; or bytes, where a library finds no UTF-8
    expiration: str | None  # milliseconds
    delivery: Any
    received: float  # time.monotonic()

    @property
    def expired(self) -> bool:
        """C5: counted from the delivery, on this machine's own clock, so that no two clocks must agree."""
        return bool(self.expiration) and (
            time.monotonic() - self.received >= int(self.expiration or 0) / 1000
        )


class Link(Protocol):
    """One connection of a server. One thread at a time uses it; only `wake` may come from another.

    Building it connects to one broker, or raises. It hands every request to `on_request`.
    """

    def __init__(
        self, url: str, options: ServerOptions, on_request: Callable[[Request], None]
    ) -> None: ...

    def declare(self) -> None:
        """Declare the request queue."""

    @staticmethod
    def failure(error: BaseException) -> Failure:
        """Return what an exception of this link's comes down to."""
        ...

    def consume(self, prefetch: int) -> None:
        """Take requests, and hold `prefetch` of them at most. Called again: that many more."""

    def reply(self, request: Request, reply: Reply | None) -> None:
        """Send the reply if there is one and an address for it; and then acknowledge the request (C14).

        Now or at the next `read`.
        """

    def give_back(self, request: Request) -> None:
        """Return a request to its queue, for another server: by nack, as a reject may count as a failure."""

    def cancel(self) -> None:
        """Take no more requests (C17)."""

    def read(self, *, wait: bool = True) -> None:
        """Send what is unsent; wait for something, or `wake`, and handle it; raise if the connection is lost."""

    def wake(self) -> None:
        """End the wait in `read`, or the next one. From any thread, also in a signal's handler."""

    def close(self) -> None:
        """Tell the broker, wait for its answer for `CLOSE_TIMEOUT` at most, and free everything."""

    def drop(self) -> None:
        """Free everything without a word to the broker, which may be silent. Never raises."""


class BaseServer:
    """Serves one function from one request queue, until SIGTERM or SIGINT."""

    link: ClassVar[type[Link]]  # the layer's
    log: ClassVar[logging.Logger] = logging.getLogger(__name__)

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self._signals = StopSignals(self._wake)
        self._lock = threading.Lock()  # held by the thread that uses the link
        self._backoff = ServerBackoff(self.log, options.urls)
        self._link: Link | None = None
        # how the link was lost while the main thread computed
        self._lost: BaseException | None = None
        self._held: set[Request] = set()  # not acknowledged yet
        self._waiting: deque[Request] = deque()  # for the main thread to compute
        self._answered: deque[tuple[Request, Reply | None]] = deque()  # by a worker
        self._abandoned: set[Request] = set()  # computed still, though their connection was lost
        self._running: set[Request] = set()
        self._stopping = False

    def run(self) -> int:
        """Serve, and return the exit code."""
        in_main_thread = self._options.concurrency == 1
        self._keep_alive = KeepAlive(self._service_connection) if in_main_thread else None
        self._workers = None if in_main_thread else Workers(self._work, self._options.concurrency)
        try:
            with self._signals:
                return self._run()
        finally:
            if self._keep_alive is not None:
                self._keep_alive.close()
            if self._workers is not None:
                self._workers.close()

    # -- connect, serve, connect again (C18) ----------------------------------------------------------

    def _run(self) -> int:
        while not self._signals.stop_requested:
            try:
                self._link = open_any(
                    self._options.urls,
                    self._open,
                    self.link.failure,
                    lambda: self._signals.stop_requested,
                )
                self._consume()
                self._backoff.on_ready()
                print_ready()
                self._serve()
                return 0
            except Exception as error:
                failure = self.link.failure(error)
                self._discard_link()
                if self._backoff.gives_up(failure):
                    return EXIT_REFUSED
                if self._stopping or self._backoff.wait(failure, self._signals.wait):
                    return 0
        return 0

    def _open(self, url: str) -> Link:
        def connect(arguments: Arguments) -> Link:
            options = replace(self._options, queue_arguments=arguments)
            return self.link(url, options, self._on_request)

        return open_as_it_is(
            connect, lambda link: link.declare(), self.link.failure, self._options.queue_type
        )

    def _consume(self) -> None:
        # C15: workers that still compute for a lost connection cannot begin anything else
        assert self._link is not None
        self._abandoned = set(self._running)
        busy = self._options.share(len(self._abandoned))
        if busy < self._options.prefetch:
            self._link.consume(self._options.prefetch - busy)

    def _discard_link(self) -> None:
        with self._lock:
            if self._link is not None:
                self._link.drop()
            self._link = self._lost = None
            self._forget_requests()

    def _forget_requests(self) -> None:
        # C11: the broker gives all that was held to somebody else
        self._held.clear()
        self._waiting.clear()
        if self._workers is not None:
            self._workers.drain_unstarted()

    # -- take, compute, reply ---------------------------------------------------------------------------

    def _serve(self) -> None:
        assert self._link is not None
        while not (self._stopping and not self._held):
            self._compute_waiting()  # first: a request may have come with the answer to `consume`
            with self._lock:
                self._link.read(wait=not self._waiting)
                if self._signals.stop_requested:
                    self._stop()
                self._reply_to_answered()
        with self._lock:
            self._link.close()
            self._link = None

    def _on_request(self, request: Request) -> None:
        self.log.debug("<- request %s: %.100r", request.correlation_id, request.body)
        self._backoff.on_request()
        if self._stopping and self._link is not None:
            self._link.give_back(request)
        else:
            self._held.add(request)
            if self._workers is None:
                self._waiting.append(request)
            else:
                self._workers.put(request)

    def _compute_waiting(self) -> None:
        """Compute what was read, in the main thread."""
        sent = time.monotonic()
        while self._waiting:
            assert self._keep_alive is not None
            request = self._waiting.popleft()
            with self._keep_alive:
                reply = self._compute(request)
            with self._lock:
                if self._lost is not None:
                    raise self._lost
                self._reply(request, reply)
                if self._waiting and time.monotonic() - sent > HOLD_BACK:
                    assert self._link is not None
                    self._link.read(wait=False)  # which sends them
                    sent = time.monotonic()
        if self._lost is not None:
            raise self._lost

    def _compute(self, request: Request) -> Reply | None:
        if request.expired:
            return None
        return handle_request(
            self._options.function, request.body, request.content_type, self._options.service
        )

    def _reply(self, request: Request, reply: Reply | None) -> None:
        if request not in self._held:
            return  # C11: its connection was lost, and the broker has given it to somebody else
        self._held.remove(request)
        assert self._link is not None
        if reply is not None and request.reply_to:
            self.log.debug("-> reply %s: %.100r", request.correlation_id, reply.body)
        self._backoff.on_reply()
        self._link.reply(request, reply)

    def _service_connection(self) -> None:
        """C16: read, and send heartbeats, while the main thread computes."""
        if not self._lock.acquire(blocking=False):
            return  # somebody uses it
        try:
            if self._link is None or self._lost is not None:
                return
            self._link.read(wait=False)
            if self._signals.stop_requested:
                self._stop()
        except Exception as error:
            self._lost = error
            self._forget_requests()
        finally:
            self._lock.release()

    def _work(self, request: Request) -> None:
        """Compute one request, in a worker's thread."""
        self._running.add(request)
        reply = self._compute(request)
        self._answered.append((request, reply))
        self._running.discard(request)
        self._wake()

    def _reply_to_answered(self) -> None:
        while self._answered:
            request, reply = self._answered.popleft()
            self._reply(request, reply)
            if request in self._abandoned and not self._stopping:
                self._abandoned.remove(request)
                assert self._link is not None
                busy = self._options.share(len(self._abandoned))
                self._link.consume(self._options.share(len(self._abandoned) + 1) - busy)

    # -- stopping (C17) ---------------------------------------------------------------------------------

    def _stop(self) -> None:
        """Take no more, and give back what nobody has begun; `_serve` ends when the rest is done."""
        if self._stopping:
            return
        self.log.info("stopping: finishing what is being computed")
        self._stopping = True
        assert self._link is not None
        self._link.cancel()
        unstarted = (
            list(self._waiting) if self._workers is None else self._workers.drain_unstarted()
        )
        self._waiting.clear()
        for request in unstarted:
            self._held.discard(request)
            self._link.give_back(request)

    def _wake(self) -> None:
        link = self._link
        if link is not None:
            link.wake()
