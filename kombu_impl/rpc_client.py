"""A client on one kombu `Connection`, read by a thread of its own, which callers may stand in for.

What kombu does here: connecting, declaring, consuming, publishing, as objects and blocking calls.
What it leaves to you: a connection is not thread-safe, so every use of it holds one lock, and whoever reads
waits for the socket outside that lock; a lost connection is yours to notice and to rebuild.
"""

import logging
import selectors
import socket
import sys
import threading
from collections import deque
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, Self

from kombu import Consumer, Producer, Queue

from contract.address import broker_urls, shown
from contract.errors import RpcAccessRefused, RpcConnectionLost
from contract.pending import PendingCall, PendingCalls, Stats, check_timeout
from contract.programs import run_client
from contract.turns import READER_PATIENCE, Turns, run_holding
from contract.wire import (
    CONTENT_TYPE,
    check_heartbeat,
    check_queue,
    encode_request,
    queue_arguments,
)
from kombu_impl.connection import (
    MAX_RECONNECT_DELAY,
    RECONNECT_DELAY,
    PlainMessage,
    drain,
    drop,
    hang_up,
    open_connection,
    refusal,
    release,
)

log = logging.getLogger(__name__)


class FibonacciRpcClient:
    """The contract's `RpcClient` on kombu."""

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
        self._queue = Queue(
            check_queue(queue), durable=True, queue_arguments=queue_arguments(queue_type)
        )
        self._heartbeat = check_heartbeat(heartbeat)
        self._timeout = check_timeout(timeout)
        self._pending = PendingCalls(fail_fast=fail_fast, ask_for_consumers=self._ask_for_consumers)
        self._lock = threading.RLock()  # held by whoever uses the connection
        self._connection: Any = None
        self._link: Any = None  # py-amqp's connection, below kombu's
        self._producer: Any = None  # None until requests can be sent
        self._callback_queue = ""
        self._received: deque[Any] = deque()
        self._delay = RECONNECT_DELAY
        self._closing = threading.Event()
        self._called = threading.Event()  # set by a call that found no connection
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_writer.setblocking(False)
        self._selector: Any = None
        self._turns = Turns(self._pending, self._turn, self._wake)
        self._counting: threading.Thread | None = None  # while it counts
        self._thread = threading.Thread(target=self._run, name="rpc-kombu", daemon=True)
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
            self._producer.publish(
                call.body,
                routing_key=self._queue.name,
                content_type=CONTENT_TYPE,
                content_encoding="utf-8",
                delivery_mode="transient",  # kombu's default is to write every message to disk
                reply_to=self._callback_queue,
                correlation_id=call.correlation_id,
                expiration=max(0.0, call.remaining),
            )
        except Exception as error:
            log.warning("the request could not be sent (%r)", error)
            self._producer = None
            hang_up(self._link)

    def _on_reply(self, message: Any) -> None:
        properties = message.properties
        self._pending.on_reply(
            properties.get("correlation_id"),
            message.body or b"",  # py-amqp makes an empty body a str
            message.content_type,
            properties.get("type"),
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

    # -- the client's own thread: connects, reads, connects again ------------------------------------

    def _run(self) -> None:
        self._turns.begin()
        while not self._closing.is_set():
            connection: Any = None
            in_use = False
            try:
                self._connection = connection = open_connection(
                    self._urls, self._heartbeat, self._closing.is_set
                )
                link = connection.connection
                self._start_consuming(connection.default_channel, link)
                in_use = True
                self._delay = RECONNECT_DELAY
                self._receive()
                release(connection, link)
            except Exception as error:
                with self._lock:
                    self._producer = None
                drop(connection)
                self._on_connection_lost(error, in_use)
        self._wake_reader.close()
        self._wake_writer.close()

    def _start_consuming(self, channel: Any, link: Any) -> None:
        channel.auto_decode = False  # bodies stay bytes, whatever content encoding they claim
        channel.Message = PlainMessage
        # C6: declared here too, so that a request sent before the first server starts is kept for it
        self._queue.bind(channel).declare()
        callback_queue = Queue("", durable=False, exclusive=True).bind(channel)
        callback_queue.declare()
        # on_message, not callbacks: kombu would decode the body first, and raise out of the loop if it cannot
        Consumer(
            channel,
            [callback_queue],
            on_message=self._received.append,
            no_ack=True,
            auto_declare=False,
        ).consume()
        with self._lock:
            self._link, self._callback_queue = link, callback_queue.name
            self._producer = Producer(channel, auto_declare=False)
            self._pending.connected()
            for call in self._pending.unsent():
                self._publish(call)

    def _receive(self) -> None:
        with selectors.DefaultSelector() as self._selector:
            self._selector.register(self._link.sock, selectors.EVENT_READ)
            self._selector.register(self._wake_reader, selectors.EVENT_READ)
            while not self._closing.is_set():
                self._turns.read()

    def _turn(self) -> None:
        for key, _ in self._selector.select(self._heartbeat / 4):
            if key.fileobj is self._wake_reader:
                self._wake_reader.recv(1024)
        run_holding(self._lock, self._read, READER_PATIENCE)
        # outside the lock: a future's callback may send the next request
        while self._received:
            self._on_reply(self._received.popleft())

    def _read(self) -> None:
        drain(self._link)
        self._link.heartbeat_tick()

    def _on_connection_lost(self, error: Exception, in_use: bool) -> None:
        if refusal(error, in_use):  # no retry loop: the next call tries again
            self._called.clear()
            self._pending.fail_all(RpcAccessRefused(f"the broker refused: {error!r}"))
            if not self._closing.is_set():  # close() sets this before `_called`
                self._called.wait()
        else:
            self._pending.fail_sent(RpcConnectionLost(f"connection lost: {error!r}"))
            log.warning(
                "no connection to %s (%r), next attempt in %.2f s",
                shown(self._urls),
                error,
                self._delay,
            )
            self._closing.wait(self._delay)
            self._delay = min(2 * self._delay, MAX_RECONNECT_DELAY)

    def _wake(self) -> None:
        with suppress(OSError):  # full: it is awake; closed: it has ended
            self._wake_writer.send(b".")

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
        """Declare the request queue again, which answers with the number of its consumers.

        On a connection of its own: kombu waits for the answer, and a silent broker must not hold the lock up.
        """
        consumers = None
        with suppress(Exception), ExitStack() as cleanup:
            connection = open_connection([self._connection.opened], self._heartbeat)
            cleanup.callback(release, connection, connection.connection)
            declared = connection.default_channel.queue_declare(
                self._queue.name,
                durable=True,
                auto_delete=False,
                arguments=self._queue.queue_arguments,
            )
            consumers = declared.consumer_count
        self._counting = None
        self._pending.consumers_counted(consumers)


if __name__ == "__main__":
    sys.exit(run_client("kombu_impl", FibonacciRpcClient))
