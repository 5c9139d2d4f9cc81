"""A client on pika's `SelectConnection`, whose event loop has a thread of its own, which callers may stand in for.

What pika does here: the protocol, the heartbeats, one loop that sends and receives without blocking.
What it leaves to you: only one thread may turn the loop at a time, so what other threads want is handed to it
with `add_callback_threadsafe`; each step of setting up is a callback; a lost connection is yours to rebuild.
"""

import logging
import sys
import threading
from collections import deque
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

import pika
from pika.adapters.select_connection import IOLoop

from contract.address import broker_urls, shown
from contract.errors import RpcAccessRefused, RpcConnectionLost
from contract.pending import PendingCall, PendingCalls, Stats, check_timeout
from contract.programs import run_client
from contract.turns import Turns
from contract.wire import (
    CONTENT_TYPE,
    check_heartbeat,
    check_queue,
    encode_request,
    queue_arguments,
)
from raw_pika.connection import (
    MAX_RECONNECT_DELAY,
    RECONNECT_DELAY,
    abort,
    describe,
    parameters,
    refusal,
)

CLOSE_TIMEOUT = 1.0  # seconds for the broker to agree; a silent one must not hold close() up

log = logging.getLogger(__name__)


class FibonacciRpcClient:
    """The contract's `RpcClient` on raw pika."""

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
        self._brokers = [parameters(each, check_heartbeat(heartbeat)) for each in self._urls]
        self._queue = check_queue(queue)
        self._queue_arguments = queue_arguments(queue_type)
        self._timeout = check_timeout(timeout)
        self._loop = IOLoop()
        self._pending = PendingCalls(
            fail_fast=fail_fast,
            ask_for_consumers=lambda: self._loop.add_callback_threadsafe(self._count_consumers),
        )
        self._connecting = False
        self._untried: list[pika.URLParameters] = []  # brokers, in this attempt to connect
        self._in_use = False  # the connection
        self._connection: Any = None
        self._channel: Any = None
        self._channel_error: Exception | None = None
        self._callback_queue: str | None = None  # None until requests can be sent
        self._delay = RECONNECT_DELAY
        self._refused = False
        self._closing = False
        self._closed = False
        self._loop.activate_poller()
        self._loop.add_callback_threadsafe(self._connect)
        self._outbox: deque[PendingCall] = deque()
        self._woken = False
        self._turns = Turns(self._pending, self._turn, self._wake)
        self._thread = threading.Thread(target=self._run, name="rpc-raw-pika", daemon=True)
        self._thread.start()

    def call(self, n: int, *, timeout: float | None = None) -> int:
        """See `contract.RpcClient.call`."""
        future = self._send(n, timeout)
        try:
            if not self._turns.read_until_done(future):
                self._wake()
            return self._pending.wait_for(future)
        finally:
            future.cancel()  # C7: for a wait that Ctrl-C cut short

    def submit(self, n: int, *, timeout: float | None = None) -> "Future[int]":
        """See `contract.RpcClient.submit`."""
        future = self._send(n, timeout, in_background=True)
        self._wake()
        return future

    def _send(self, n: int, timeout: float | None, *, in_background: bool = False) -> "Future[int]":
        call = self._pending.add(encode_request(n), self._timeout if timeout is None else timeout)
        if in_background or self._callback_queue is None:  # connecting is not for callers
            self._turns.read_in_background()
        self._outbox.append(call)
        return call.future

    def _publish(self, call: PendingCall) -> None:
        if call.sent or call.future.done():
            return
        if self._callback_queue is None:  # C12: it waits, and is sent once the connection is up
            if self._refused:
                self._refused = False
                self._connect()
            return
        call.sent = True
        self._pending.count("sent")
        log.debug("-> request %s: %r", call.correlation_id, call.body)
        self._channel.basic_publish(
            exchange="",
            routing_key=self._queue,
            body=call.body,
            properties=pika.BasicProperties(
                content_type=CONTENT_TYPE,
                reply_to=self._callback_queue,
                correlation_id=call.correlation_id,
                expiration=call.expiration,
            ),
        )

    def _on_reply(self, _channel: Any, _method: Any, properties: Any, body: bytes) -> None:
        self._pending.on_reply(
            properties.correlation_id, body, properties.content_type, properties.type
        )

    @property
    def stats(self) -> Stats:
        """See `contract.RpcClient.stats`."""
        return self._pending.stats

    def close(self) -> None:
        """See `contract.RpcClient.close`."""
        self._pending.close()
        if self._thread.is_alive():
            self._loop.add_callback_threadsafe(self._disconnect)
            self._turns.end()
            self._turns.join(self._thread, self._pending.watcher)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        type_: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -- in the thread that turns the loop: each step of setting up is the callback of the one before --

    def _run(self) -> None:
        self._turns.begin()
        while not self._closed:
            try:
                self._turns.read()
            except Exception as error:  # pika met bytes that it cannot read
                log.exception("the event loop failed")
                self._woken = False  # the callback that does this may be lost
                if self._connecting and isinstance(error, OSError):  # it could make no socket
                    self._on_attempt_done(error)
                else:
                    abort(self._connection)
        self._loop.close()

    def _turn(self) -> None:
        while self._outbox:
            self._publish(self._outbox.popleft())
        self._loop.poll()
        self._loop.process_timeouts()

    def _wake(self) -> None:
        # once for all that is put meanwhile: a fifth more calls/s with 100 in flight
        if not self._woken:
            self._woken = True
            try:
                self._loop.add_callback_threadsafe(self._on_wake)
            except BaseException:  # Ctrl-C: else nothing would ever unset it
                self._woken = False
                raise

    def _on_wake(self) -> None:
        self._woken = False

    def _connect(self) -> None:
        self._connecting = True
        self._untried = list(self._brokers)
        self._try_next_broker()

    def _try_next_broker(self) -> None:
        # one by one: pika, given all of them, would end at a name that does not resolve
        pika.SelectConnection.create_connection(
            [self._untried.pop(0)], on_done=self._on_attempt_done, custom_ioloop=self._loop
        )

    def _on_attempt_done(self, result: Any) -> None:
        if isinstance(result, Exception):
            if self._untried and not (self._closing or refusal(result)):
                self._try_next_broker()
            else:
                self._connecting = False
                self._on_connection_lost(None, result)
            return
        self._connecting = False
        self._connection = result
        self._connection.add_on_close_callback(self._on_connection_lost)
        if self._closing:
            self._disconnect()
        else:
            self._connection.channel(on_open_callback=self._on_channel_open)

    def _on_channel_open(self, channel: Any) -> None:
        self._channel = channel
        self._channel.add_on_close_callback(self._on_channel_closed)
        # somebody deleted the callback queue, so no reply would arrive any more
        self._channel.add_on_cancel_callback(self._on_callback_queue_deleted)
        self._declare_request_queue(self._on_request_queue_declared)

    def _on_callback_queue_deleted(self, _frame: Any) -> None:
        self._callback_queue = None  # calls wait for the next one
        self._channel.close()

    def _declare_request_queue(self, callback: Any) -> None:
        # C6: by the client too, so that a request sent before the first server starts is kept for it
        self._channel.queue_declare(
            self._queue, durable=True, arguments=self._queue_arguments, callback=callback
        )

    def _on_request_queue_declared(self, _frame: Any) -> None:
        self._channel.queue_declare("", exclusive=True, callback=self._on_callback_queue_declared)

    def _on_callback_queue_declared(self, frame: Any) -> None:
        callback_queue = frame.method.queue
        self._channel.basic_consume(
            callback_queue,
            self._on_reply,
            auto_ack=True,
            callback=lambda _frame: self._on_consuming(callback_queue),
        )

    def _on_consuming(self, callback_queue: str) -> None:
        self._callback_queue = callback_queue
        self._in_use = True
        self._delay = RECONNECT_DELAY
        self._pending.connected()
        for call in self._pending.unsent():
            self._publish(call)

    def _on_channel_closed(self, _channel: Any, error: Exception) -> None:
        self._callback_queue = None
        if self._connection.is_open:  # only the channel was closed: begin again from the start
            self._channel_error = error
            self._connection.close()

    def _on_connection_lost(self, _connection: Any, error: Exception) -> None:
        error, self._channel_error = self._channel_error or error, None
        self._callback_queue = None
        in_use, self._in_use = self._in_use, False
        self._turns.read_in_background()  # connecting is not for callers
        if self._closing:
            self._closed = True
        elif refused := refusal(error, in_use):  # no retry loop: the next call tries again
            self._refused = True
            self._pending.fail_all(RpcAccessRefused(f"the broker refused: {refused!r}"))
        else:
            self._pending.fail_sent(RpcConnectionLost(f"connection lost: {describe(error)}"))
            log.warning(
                "no connection to %s (%s), next attempt in %.2f s",
                shown(self._urls),
                describe(error),
                self._delay,
            )
            self._loop.call_later(self._delay, self._connect)
            self._delay = min(2 * self._delay, MAX_RECONNECT_DELAY)

    def _count_consumers(self) -> None:
        if self._callback_queue is None:
            self._pending.consumers_counted(0)
        else:
            # declaring again answers with the number of consumers, and makes a deleted queue anew
            self._declare_request_queue(
                lambda frame: self._pending.consumers_counted(frame.method.consumer_count)
            )

    def _disconnect(self) -> None:
        self._closing = True
        if self._connecting:
            return  # pika cannot abort an attempt in its handshake; it ends within CONNECT_TIMEOUT
        if self._connection is None or self._connection.is_closed:
            self._closed = True
            return
        self._loop.call_later(CLOSE_TIMEOUT, lambda: abort(self._connection))
        if self._connection.is_open:
            self._connection.close()


if __name__ == "__main__":
    sys.exit(run_client("raw_pika", FibonacciRpcClient))
