"""A server on one kombu `Connection`, which computes where it has read the request, or in threads.

What kombu does here: connecting, declaring, prefetch, acknowledging, as objects and blocking calls.
What it leaves to you: one lock around every use of the connection, heartbeats while a function computes
(C16), stopping without losing a request, building a lost connection up again.
"""

import logging
import selectors
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from kombu import Consumer, Producer, Queue

from contract.address import shown
from contract.programs import (
    EXIT_REFUSED,
    ServerOptions,
    asked_to_stop,
    parse_server_options,
    say_ready,
    stop_signals,
)
from contract.wire import CONTENT_TYPE, Reply, answer, queue_arguments
from contract.workers import Workers
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


class FibonacciRpcServer:
    """Serves one function from one request queue, until SIGTERM or SIGINT."""

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self._queue = Queue(
            options.queue, durable=True, queue_arguments=queue_arguments(options.queue_type)
        )
        self._workers = Workers(self._compute, options.concurrency, self._keep_up)
        self._lock = threading.Lock()  # held by whoever uses the connection
        self._answered = threading.Condition(self._lock)
        self._connection: Any = None
        self._link: Any = None  # py-amqp's connection, below kombu's
        self._producer: Any = None
        self._held: set[Any] = set()  # messages that are not acknowledged
        self._stopping = False
        self._lost: Exception | None = None  # how `_keep_up` lost the connection

    def run(self) -> int:
        """Serve, and return the exit code."""
        delay, exit_code = RECONNECT_DELAY, 0
        with stop_signals() as self._signals:
            while not self._stopping:
                in_use = False
                try:
                    self._connection = open_connection(self._options.urls, self._options.heartbeat)
                    self._link = self._connection.connection
                    if asked_to_stop(self._signals):  # meanwhile: nothing was taken yet
                        release(self._connection, self._link)
                        break
                    consumer = self._start_consuming()
                    in_use = True
                    delay = RECONNECT_DELAY
                    self._receive()
                    self._finish(consumer)
                except Exception as error:
                    self._forget_connection()
                    if refusal(error, in_use):
                        log.error("the broker refused: %r", error)
                        exit_code = EXIT_REFUSED
                        break
                    log.warning(
                        "no connection to %s (%r), next attempt in %.2f s",
                        shown(self._options.urls),
                        error,
                        delay,
                    )
                    self._stopping = self._stopping or asked_to_stop(self._signals, delay)
                    delay = min(2 * delay, MAX_RECONNECT_DELAY)
        self._workers.close()
        return exit_code

    def _on_request(self, message: Any) -> None:
        log.debug("<- request %s: %.100r", message.properties.get("correlation_id"), message.body)
        if self._stopping:  # it goes back when the connection ends
            return
        self._held.add(message)
        self._workers.put(message, time.monotonic())

    def _compute(self, message: Any, received: float) -> None:
        reply = None
        expiration = message.properties.get("expiration")
        # C5: counted from the delivery, on this machine's own clock, so that no two clocks must agree
        if not expiration or time.monotonic() - received < int(expiration) / 1000:
            body = message.body or b""  # py-amqp makes an empty body a str
            reply = answer(self._options.function, body, message.content_type)
        with self._lock:
            if message not in self._held:
                return  # C11: the connection was lost; the broker has given the request to somebody else
            self._held.remove(message)
            self._answered.notify()
            try:
                self._reply(message, reply)
            except Exception as error:
                log.warning("the reply could not be sent (%r)", error)
                hang_up(self._link)

    def _reply(self, message: Any, reply: Reply | None) -> None:
        properties = message.properties
        if reply is not None and properties.get("reply_to"):
            log.debug("-> reply %s: %.100r", properties.get("correlation_id"), reply.body)
            optional = {"correlation_id": properties.get("correlation_id"), "type": reply.type}
            self._producer.publish(
                reply.body,
                routing_key=properties["reply_to"],
                content_type=CONTENT_TYPE,
                content_encoding="utf-8",
                delivery_mode="transient",  # kombu's default is to write every message to disk
                **{name: value for name, value in optional.items() if value is not None},
            )
        message.ack()  # C14: after the reply

    def _finish(self, consumer: Any) -> None:
        """C17: finish what is being computed; what no thread has begun goes back to the queue."""
        log.info("stopping: finishing what is being computed")
        self._stopping = True
        with self._lock:
            with suppress(TimeoutError):  # a broker that is slow to answer
                consumer.cancel()
            self._return_prefetched()
            while self._held:
                self._answered.wait(self._options.heartbeat / 4)
                self._read()
            release(self._connection, self._link)

    def _return_prefetched(self) -> None:
        # it goes back to the queue when the connection ends
        self._held -= {message for message, _ in self._workers.withdraw()}

    # -- connecting ------------------------------------------------------------------------------------

    def _start_consuming(self) -> Any:
        channel = self._connection.default_channel
        channel.auto_decode = False  # bodies stay bytes, whatever content encoding they claim
        channel.Message = PlainMessage
        queue = self._queue.bind(channel)
        queue.declare()
        # on_message, not callbacks: kombu would decode the body first, and a body that it cannot decode would
        # raise out of the loop, end the server, and go back to the queue for the next one
        consumer = Consumer(
            channel,
            [queue],
            on_message=self._on_request,
            prefetch_count=self._options.prefetch,
            auto_declare=False,
        )
        with self._lock:
            self._producer = Producer(channel, auto_declare=False)
            consumer.consume()
        say_ready()
        return consumer

    def _receive(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._link.sock, selectors.EVENT_READ)
            selector.register(self._signals, selectors.EVENT_READ)
            self._serve()  # what came with the consumer: if TLS has buffered it, no selector tells of it
            while not any(
                key.fileobj is self._signals
                for key, _ in selector.select(self._options.heartbeat / 4)
            ):
                self._serve()

    def _serve(self) -> None:
        with self._lock:
            self._read()
        self._workers.work()
        if self._lost is not None:  # the selector may not tell: it forgets a socket that is closed
            error, self._lost = self._lost, None
            raise error

    def _keep_up(self) -> None:
        """C16: read, and send a heartbeat, while the thread that does so at other times computes."""
        with self._lock:
            try:
                if self._lost is None:
                    self._read()
            except Exception as error:
                self._let_go()
                self._lost = error
            if asked_to_stop(self._signals):
                self._return_prefetched()

    def _read(self) -> None:
        drain(self._link)
        self._link.heartbeat_tick()

    def _forget_connection(self) -> None:
        with self._lock:
            drop(self._connection)
            self._connection = None  # kombu, told twice, sets the whole process's socket timeout
            self._let_go()

    def _let_go(self) -> None:
        # C11: the broker gives all that was held to somebody else
        self._workers.withdraw()
        self._held.clear()


if __name__ == "__main__":
    sys.exit(FibonacciRpcServer(parse_server_options("kombu_impl")).run())
