"""A client that speaks Celery's task protocol, with a thread that consumes the results.

What Celery does here: the task message, the producer, and the place for a backend of results.
What it leaves to you: its own results wait in steps of a second, belong to the thread that sent the
task, are kept for ever if nobody forgets them, and stay away after a lost connection. Here they
resolve futures, and both connections are rebuilt when one is lost.
"""

import logging
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from kombu import Producer

from celery_impl.app import (
    MAX_RECONNECT_DELAY,
    RECONNECT_DELAY,
    TASK,
    describe,
    drain,
    drop,
    make_app,
    open_connection,
    refusal,
    release,
)
from contract.address import broker_urls, shown
from contract.errors import RpcAccessRefused, RpcConnectionLost
from contract.pending import PendingCall, PendingCalls, Stats, check_timeout
from contract.programs import run_client
from contract.turns import READER_PATIENCE, Turns, run_holding
from contract.wire import CONTENT_TYPE, check_heartbeat, check_queue, encode_request

log = logging.getLogger(__name__)


class FibonacciRpcClient:
    """The contract's `RpcClient` on Celery."""

    def __init__(
        self,
        url: str | None = None,
        *,
        queue: str = "rpc_queue",
        timeout: float = 10.0,
        fail_fast: bool = False,
        heartbeat: int = 30,
        queue_type: str = "classic",
    ) -> None:
        self._urls = broker_urls(url)
        self._heartbeat = check_heartbeat(heartbeat)
        self._timeout = check_timeout(timeout)
        self._app = make_app(check_queue(queue), queue_type, heartbeat)
        self._queue = self._app.amqp.queues[queue]
        self._pending = PendingCalls(fail_fast=fail_fast, ask_for_consumers=self._ask_for_consumers)
        self._app.backend.result_consumer.pending = self._pending
        self._lock = threading.RLock()  # held by whoever uses the producer's connection
        self._producer: Any = None  # None until requests can be sent
        self._callback_queue = ""
        self._connections: list[Any] = []  # kombu's: one to consume, one to publish
        self._links: list[Any] = []  # and py-amqp's below them
        self._publish_error: Exception | None = None
        self._counting: threading.Thread | None = None  # while it counts
        self._delay = RECONNECT_DELAY
        self._called = threading.Event()  # set by a call that found no connection
        self._closing = threading.Event()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_writer.setblocking(False)
        self._selector: Any = None
        self._next_tick = 0.0  # time.monotonic()
        self._turns = Turns(self._pending, self._turn, self._wake)
        self._thread = threading.Thread(target=self._run, name="rpc-celery", daemon=True)
        self._thread.start()

    def call(self, n: int, *, timeout: float | None = None) -> int:
        """See `contract.RpcClient.call`."""
        future = self._send(n, timeout)
        try:
            self._turns.read_until_done(future)
            return self._pending.wait_for(future)
        finally:
            future.cancel()  # C7: for a wait that Ctrl-C cut short

    def submit(self, n: int, *, timeout: float | None = None) -> "Future[int]":
        """See `contract.RpcClient.submit`."""
        return self._send(n, timeout, in_background=True)

    def _send(self, n: int, timeout: float | None, *, in_background: bool = False) -> "Future[int]":
        call = self._pending.add(encode_request(n), self._timeout if timeout is None else timeout)
        if in_background:
            self._turns.read_in_background()
        try:
            run_holding(self._lock, lambda: self._publish(call), max(0.0, call.remaining))
        except BaseException:
            call.future.cancel()  # C7: Ctrl-C, before the caller has the future
            raise
        return call.future

    def _publish(self, call: PendingCall) -> None:
        if call.sent or call.future.done():
            return
        if self._producer is None:  # C12: it waits, and is sent once the connection is up
            self._called.set()
            return
        call.sent = True
        self._pending.count("sent")
        log.debug("-> request %s: %r", call.correlation_id, call.body)
        try:
            self._send_task(call)
        except Exception as error:
            self._producer = None
            self._publish_error = error
            self._wake()

    def _send_task(self, call: PendingCall) -> None:
        # What `send_task` does, in 12 us instead of 55, and with no AsyncResult to forget().
        amqp = self._app.amqp
        message = amqp.create_task_message(
            call.correlation_id,
            TASK,
            (),
            reply_to=self._callback_queue,
            argsrepr="",
            kwargsrepr="",
        )
        # 13 of the 19 headers are empty, and take 18 us to write and to read
        headers = {name: value for name, value in message.headers.items() if value}
        amqp.send_task_message(
            self._producer,
            TASK,
            # encoded already: kombu's encoder would fail at a nesting that ours has passed
            message._replace(headers=headers, body=b"[[%s], {}, {}]" % call.body),
            content_type=CONTENT_TYPE,
            content_encoding="utf-8",
            queue=self._queue,
            declare=[],
            # C5: not Celery's `expires`, a time of day that a worker compares with its own clock
            expiration=max(0, call.remaining),
            retry=False,
        )

    @property
    def stats(self) -> Stats:
        """See `contract.RpcClient.stats`."""
        return self._pending.stats

    def close(self) -> None:
        """See `contract.RpcClient.close`."""
        self._pending.close()
        self._closing.set()
        self._called.set()
        self._wake()
        self._turns.end()
        self._turns.join(self._thread, self._pending.watcher)
        self._turns.join(self._counting)  # which the watcher may have begun meanwhile

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        type_: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -- in the client's own thread ------------------------------------------------------------------

    def _run(self) -> None:
        self._turns.begin()
        while not self._closing.is_set():
            in_use = False
            try:
                self._connect()
                in_use = True
                self._receive()
            except Exception as error:
                self._on_connection_lost(error, in_use)
        self._disconnect(release)
        self._wake_writer.close()
        self._wake_reader.close()

    def _connect(self) -> None:
        # Two, as Celery has it: one is read by this thread while others publish on the other.
        for _ in range(2):
            connection = open_connection(
                self._app, self._urls, self._heartbeat, self._closing.is_set
            )
            self._connections.append(connection)
        self._links = [connection.connection for connection in self._connections]
        channel = self._connections[1].default_channel
        # C6: by the client too, so that a request sent before the first server starts is kept
        self._queue(channel).queue_declare()
        self._callback_queue = self._app.backend.result_consumer.start(self._connections[0])
        self._links[0].sock.settimeout(0)  # else py-amqp does and undoes this 4 times for a reply
        self._delay = RECONNECT_DELAY
        self._pending.connected()
        with self._lock:
            self._publish_error = None
            self._producer = Producer(channel, auto_declare=False)
            for call in self._pending.unsent():
                self._publish(call)

    def _receive(self) -> None:
        consuming, producing = self._links
        with selectors.DefaultSelector() as self._selector:
            self._selector.register(consuming.sock, selectors.EVENT_READ, self._on_replies)
            self._selector.register(producing.sock, selectors.EVENT_READ, self._on_producer)
            self._selector.register(self._wake_reader, selectors.EVENT_READ, self._on_wake)
            while not self._closing.is_set():
                self._turns.read()

    def _turn(self) -> None:
        for key, _ in self._selector.select(max(0, self._next_tick - time.monotonic())):
            key.data()
        if time.monotonic() >= self._next_tick:
            # py-amqp sends a heartbeat when half the interval is over
            self._next_tick = time.monotonic() + self._links[0].heartbeat / 4
            self._check_heartbeats()

    def _on_replies(self) -> None:
        drain(self._links[0])

    def _on_producer(self) -> None:
        run_holding(self._lock, lambda: drain(self._links[1]), READER_PATIENCE)

    def _on_wake(self) -> None:
        self._wake_reader.recv(1024)
        if self._publish_error is not None:
            raise self._publish_error

    def _check_heartbeats(self) -> None:
        self._links[0].heartbeat_tick()
        run_holding(self._lock, self._links[1].heartbeat_tick, READER_PATIENCE)

    def _on_connection_lost(self, error: Exception, in_use: bool) -> None:
        with self._lock:
            self._producer = None
        self._disconnect(drop)
        if self._closing.is_set():
            return
        if refusal(error, in_use):  # no retry loop: the next call tries again
            self._called.clear()
            self._pending.fail_all(RpcAccessRefused(f"the broker refused: {describe(error)}"))
            if not self._closing.is_set():  # close() sets this before `_called`
                self._called.wait()
        else:
            self._pending.fail_sent(RpcConnectionLost(f"connection lost: {describe(error)}"))
            log.warning(
                "no connection to %s (%s), next attempt in %.2f s",
                shown(self._urls),
                describe(error),
                self._delay,
            )
            self._closing.wait(self._delay)
            self._delay = min(2 * self._delay, MAX_RECONNECT_DELAY)

    def _disconnect(self, end: Callable[[Any], None]) -> None:
        for connection in self._connections:
            end(connection)
        self._connections, self._links = [], []
        self._next_tick = 0.0

    def _wake(self) -> None:
        with suppress(OSError):  # full: it is awake; closed: it has ended
            self._wake_writer.send(b"x")

    # -- does anyone serve? (C6) -------------------------------------------------------------------

    def _ask_for_consumers(self) -> None:
        if self._producer is None:
            self._pending.consumers_counted(0)
        elif self._counting is None:
            self._counting = threading.Thread(target=self._count_consumers, name="rpc-count")
            try:
                self._counting.start()
            except RuntimeError:  # no thread is to be had
                self._counting = None
                self._pending.consumers_counted(None)

    def _count_consumers(self) -> None:
        # On a connection of its own: a silent broker must not hold the callers up.
        count = None
        with suppress(Exception):
            connection = open_connection(self._app, [self._connections[1].opened], self._heartbeat)
            try:
                # declaring again answers with the number, and makes a deleted queue anew
                count = self._queue(connection.default_channel).queue_declare().consumer_count
            finally:
                release(connection)
        self._counting = None
        self._pending.consumers_counted(count)


if __name__ == "__main__":
    sys.exit(run_client("celery_impl", FibonacciRpcClient))
