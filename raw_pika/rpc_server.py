"""A server on pika's `SelectConnection`, which computes between two turns of the event loop, or in threads.

What pika does here: the protocol, the prefetch, and the heartbeats as long as somebody turns its loop.
What it leaves to you: somebody who turns it while a function computes (C16), replying and acknowledging
from no other thread, stopping without losing a request, building a lost connection up again.
"""

import logging
import sys
import threading
import time
from functools import partial
from typing import Any

import pika
from pika.adapters.select_connection import IOLoop

from contract.address import shown
from contract.programs import (
    EXIT_REFUSED,
    ServerOptions,
    parse_server_options,
    say_ready,
    stop_signals,
)
from contract.wire import CONTENT_TYPE, Reply, answer, queue_arguments
from contract.workers import Workers
from raw_pika.connection import (
    MAX_RECONNECT_DELAY,
    RECONNECT_DELAY,
    abort,
    describe,
    parameters,
    refusal,
)

log = logging.getLogger(__name__)


class FibonacciRpcServer:
    """Serves one function from one request queue, until SIGTERM or SIGINT."""

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self._brokers = [parameters(each, options.heartbeat) for each in options.urls]
        self._workers = Workers(self._compute, options.concurrency, self._keep_up)
        self._held: set[int] = set()  # delivery tags of what is not acknowledged
        self._connecting = False
        self._untried: list[pika.URLParameters] = []  # brokers, in this attempt to connect
        self._connection: Any = None
        self._channel: Any = None
        self._channel_error: Exception | None = None
        self._consumer_tag: str | None = None  # None unless consuming
        self._delay = RECONNECT_DELAY
        self._stopping = False
        self._stopped = False
        self._exit_code = 0
        self._loop = IOLoop()
        self._lock = threading.Lock()  # held by the thread that turns the loop

    def run(self) -> int:
        """Serve, and return the exit code."""
        with stop_signals() as signals:
            self._loop.activate_poller()
            self._loop.add_handler(signals.fileno(), self._on_signal, self._loop.READ)
            self._connect()
            while not self._stopped:
                with self._lock:
                    self._turn()
                self._workers.work()
        self._workers.close()
        self._loop.close()
        return self._exit_code

    def _on_request(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        log.debug("<- request %s: %.100r", properties.correlation_id, body)
        self._held.add(method.delivery_tag)
        self._workers.put(channel, method.delivery_tag, properties, body, time.monotonic())

    def _compute(
        self, channel: Any, tag: int, properties: Any, body: bytes, received: float
    ) -> None:
        reply = None
        # C5: counted from the delivery, on this machine's own clock, so that no two clocks must agree
        if not properties.expiration or (
            time.monotonic() - received < int(properties.expiration) / 1000
        ):
            reply = answer(self._options.function, body, properties.content_type)
        if self._options.concurrency > 1:
            callback = partial(self._reply, channel, tag, properties, reply)
            self._loop.add_callback_threadsafe(callback)
        else:
            with self._lock:
                self._reply(channel, tag, properties, reply)

    def _reply(self, channel: Any, tag: int, properties: Any, reply: Reply | None) -> None:
        if not channel.is_open:  # C11: the broker has given the request to somebody else
            return
        if reply is not None and properties.reply_to:
            log.debug("-> reply %s: %.100r", properties.correlation_id, reply.body)
            channel.basic_publish(
                exchange="",
                routing_key=properties.reply_to,
                body=reply.body,
                properties=pika.BasicProperties(
                    content_type=CONTENT_TYPE,
                    correlation_id=properties.correlation_id,
                    type=reply.type,
                ),
            )
        channel.basic_ack(tag)  # C14: after the reply
        self._held.remove(tag)
        self._close_when_idle()

    def _keep_up(self) -> None:
        """C16: turn the loop once, while the thread that does so at other times computes."""
        if self._lock.acquire(blocking=False):
            try:
                self._loop.add_callback_threadsafe(lambda: None)  # so that poll() does not wait
                self._turn()
            finally:
                self._lock.release()

    def _turn(self) -> None:
        try:
            self._loop.poll()
            self._loop.process_timeouts()
        except Exception as error:  # pika met bytes that it cannot read
            log.exception("the event loop failed")
            if self._connecting and isinstance(error, OSError):  # it could make no socket
                self._on_attempt_done(error)
            else:
                abort(self._connection)

    # -- stopping (C17) --------------------------------------------------------------------------------

    def _on_signal(self, descriptor: int, _events: int) -> None:
        self._loop.remove_handler(descriptor)
        log.info("stopping: finishing what is being computed")
        self._stopping = True
        if self._consumer_tag is not None and self._channel.is_open:
            self._channel.basic_cancel(self._consumer_tag, callback=self._on_cancelled)
        elif self._connection is not None and self._connection.is_open:
            self._connection.close()
        elif not self._connecting:
            self._stopped = True

    def _on_cancelled(self, _frame: Any) -> None:
        # what no thread has begun goes back to the queue when the connection closes
        self._held -= {tag for _, tag, *_ in self._workers.withdraw()}
        self._close_when_idle()

    def _close_when_idle(self) -> None:
        if self._stopping and not self._held and self._connection.is_open:
            self._connection.close()

    # -- connecting: each step of setting up is the callback of the one before ---------------------------

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
            if self._untried and not (self._stopping or refusal(result)):
                self._try_next_broker()
            else:
                self._connecting = False
                self._on_connection_lost(None, result)
            return
        self._connecting = False
        self._connection = result
        self._connection.add_on_close_callback(self._on_connection_lost)
        if self._stopping:
            self._connection.close()
        else:
            self._connection.channel(on_open_callback=self._on_channel_open)

    def _on_channel_open(self, channel: Any) -> None:
        self._channel = channel
        self._channel.add_on_close_callback(self._on_channel_closed)
        # somebody deleted the request queue: begin again, which declares it
        self._channel.add_on_cancel_callback(lambda _frame: self._channel.close())
        self._channel.queue_declare(
            self._options.queue,
            durable=True,
            arguments=queue_arguments(self._options.queue_type),
            callback=self._on_queue_declared,
        )

    def _on_queue_declared(self, _frame: Any) -> None:
        self._channel.basic_qos(
            prefetch_count=self._options.prefetch, callback=self._on_prefetch_set
        )

    def _on_prefetch_set(self, _frame: Any) -> None:
        self._consumer_tag = self._channel.basic_consume(
            self._options.queue, self._on_request, callback=self._on_consuming
        )

    def _on_consuming(self, _frame: Any) -> None:
        self._delay = RECONNECT_DELAY
        say_ready()

    def _on_channel_closed(self, _channel: Any, error: Exception) -> None:
        if self._connection.is_open:  # only the channel was closed: begin again from the start
            self._channel_error = error
            self._connection.close()

    def _on_connection_lost(self, _connection: Any, error: Exception) -> None:
        error, self._channel_error = self._channel_error or error, None
        in_use, self._consumer_tag = self._consumer_tag is not None, None
        self._workers.withdraw()
        self._held.clear()
        if self._stopping:
            self._stopped = True
        elif refused := refusal(error, in_use):
            log.error("the broker refused: %r", refused)
            self._exit_code = EXIT_REFUSED
            self._stopped = True
        else:
            log.warning(
                "no connection to %s (%s), next attempt in %.2f s",
                shown(self._options.urls),
                describe(error),
                self._delay,
            )
            self._loop.call_later(self._delay, self._connect)
            self._delay = min(2 * self._delay, MAX_RECONNECT_DELAY)


if __name__ == "__main__":
    sys.exit(FibonacciRpcServer(parse_server_options("raw_pika")).run())
