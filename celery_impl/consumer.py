"""The worker's consumer: Celery's own, in the four places where it does not keep the contract.

What Celery does here: the event loop, and from each message a request, handed to the pool.
What it leaves to you: six kinds of message end a worker, stay in the queue and end the next; a reply and its
acknowledgement travel on two connections, in no defined order; a signal is seen when the loop happens to wake up;
a lost connection is tried again after 2, 4, 6, ... seconds.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import kombu
from celery import states
from celery.exceptions import WorkerShutdown
from celery.utils.objects import Bunch
from celery.worker import state
from celery.worker.consumer import Connection, Consumer, Tasks
from celery.worker.consumer.consumer import Evloop
from kombu import Producer

from celery_impl.connection import Connection as OurConnection
from celery_impl.connection import kombu_connection
from celery_impl.requests import decode_request, rewrite
from contract.errors import InvalidRequest
from contract.wire import message_of
from kombu_common.connection import connect, drain, drop
from kombu_common.hardening import keep_bodies_as_they_came
from rpc_core.connecting import ServerBackoff, open_any
from rpc_core.programs import EXIT_REFUSED, ServerOptions, StopSignals, print_ready
from rpc_core.request_queue import Arguments, open_as_it_is

PAUSE = 0.1  # seconds between two looks at threads that compute for a connection that was lost

log = logging.getLogger(__name__)


class RpcConsumer(Consumer):
    """Consumes the request queue, replies and acknowledges, connects and stops."""

    class Blueprint(Consumer.Blueprint):  # type: ignore[valid-type,misc]
        """The steps that are needed; DelayedDelivery, for one, declares 28 queues when ours is a quorum queue."""

        default_steps = (Connection, Tasks, Evloop)

    app: Any
    hub: Any
    pool: Any
    connection: Any
    task_consumer: Any
    connection_errors: Any
    qos: Any

    def __init__(
        self, *args: Any, options: ServerOptions, signals: StopSignals, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._options = options
        self._busy_for_nobody = 0  # threads that still compute for a connection that was lost
        self._signals = signals
        self._backoff = ServerBackoff(log, options.urls)
        self._stopping = False
        self._was_ready = False  # the connection
        self._producer: Any = None
        self._outbox: deque[tuple[Any, Callable[[], object]]] = deque()
        self.app.backend.send_reply = self._send_reply

    # -- requests (C9) -----------------------------------------------------------------------------

    def create_task_handler(self, *args: Any) -> Callable[[Any], None]:
        """Return what is called with each message: Celery's handler, behind a check."""
        handle = super().create_task_handler(*args)

        def on_message(message: Any) -> None:
            id_ = message.properties.get("correlation_id")
            log.debug("<- request %s: %.100r", id_, message.body)
            self._backoff.on_request()
            try:
                n = decode_request(message)
            except Exception as error:  # whatever a message does, it must not end the worker
                self.on_decode_error(message, error)
            else:
                handle(rewrite(message, n))

        return on_message

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Answer a request that cannot be served; Celery's own only drops it."""
        log.warning("invalid request: %.200s", exc)
        reply_to, id_ = (message.properties.get(name) for name in ("reply_to", "correlation_id"))
        self.app.backend.store_result(
            id_ or "",
            InvalidRequest(message_of(exc)),
            states.FAILURE,
            request=Bunch(reply_to=reply_to, correlation_id=id_),
        )
        self.call_soon_ack(message.ack_log_error, log, self.connection_errors)
        self._flush()  # at once: from its own thread nothing wakes the loop up

    # -- replies and acknowledgements (C14): in order, and in the thread of the event loop ---------

    def _send_reply(self, meta: dict[str, Any], reply_to: str, id_: str | None) -> None:
        log.debug("-> reply %s: %.100r", id_, meta)
        self._backoff.on_reply()
        send = partial(
            self._producer.publish,
            meta,
            exchange="",
            routing_key=reply_to,
            correlation_id=id_,
            serializer="json",
            delivery_mode="transient",
        )
        self._outbox.append((self._producer.channel, send))

    def call_soon_ack(self, p: Any, *args: Any) -> None:
        """Acknowledge, after what was sent before; Celery's event loop keeps no order."""
        self._outbox.append((p.__self__.channel, partial(p, *args)))
        self.hub.call_soon(self._flush)

    def _flush(self) -> None:
        while self._outbox:
            channel, send = self._outbox.popleft()
            if channel.connection is not None:
                send()
            elif self._busy_for_nobody:  # the request was given to somebody else (C11)
                self._set_prefetch(self._busy_for_nobody - 1)
                self.qos.increment_eventually(self.initial_prefetch_count - self.qos.value)

    # -- stopping (C17) ----------------------------------------------------------------------------

    def register_with_event_loop(self, hub: Any) -> None:
        """Let a signal wake the loop, which else goes on until its next timer, up to 10 s."""
        super().register_with_event_loop(hub)
        if not self._stopping:
            hub.add_reader(self._signals, self._on_signal)

    def _on_signal(self) -> None:
        log.info("stopping: finishing what is being computed")
        self._stopping = True
        self.hub.remove_reader(self._signals)
        self.task_consumer.cancel()
        # in another thread, because the loop has replies to send, and heartbeats
        threading.Thread(target=self._finish, name="finish").start()

    def _finish(self) -> None:
        self.pool.stop()  # what no thread has begun returns to the queue when the connection ends
        self.hub.call_soon(self._exit)

    def _exit(self) -> None:
        self._flush()
        raise WorkerShutdown(0)

    # -- connecting (C18) --------------------------------------------------------------------------

    def connect(self) -> kombu.Connection:
        """Return a connection, however long it takes."""
        # C15: a server that cannot begin anything must not take requests that another could compute
        while len(state.active_requests) >= self._options.concurrency:
            if self._signals.wait(PAUSE):
                raise WorkerShutdown(0)
        while True:
            try:
                connection = open_any(
                    self._options.urls,
                    self._open,
                    OurConnection.failure,
                    lambda: self._signals.stop_requested,
                )
                break
            except Exception as error:
                self._wait_before_retry(error)
        self._set_prefetch(len(state.active_requests))
        # kombu's own reader takes one message, and leaves the next to the next time the loop wakes
        # up: when both came in one TLS record, that is when a job ends, or a timer up to 10 s later
        self.hub.add_reader(connection.connection.sock, drain, connection.connection)
        # the loop begins with this, and swallows what it raises: that the queue is gone, for one
        connection.drain_events = lambda **_: None  # type: ignore[method-assign]
        keep_bodies_as_they_came(connection.default_channel)
        self._producer = Producer(connection.default_channel, auto_declare=False)
        return connection

    def _set_prefetch(self, busy_for_nobody: int) -> None:
        # Celery's own setting has multiples of the concurrency only
        self._busy_for_nobody = busy_for_nobody
        share = -(-self._options.prefetch * busy_for_nobody // self._options.concurrency)
        self.initial_prefetch_count = max(1, self._options.prefetch - share)

    def _open(self, url: str) -> kombu.Connection:
        def open_with(arguments: Arguments) -> kombu.Connection:
            queue = self.app.amqp.queues[self._options.queue]
            queue.queue_arguments = arguments  # with which Celery declares it
            connection = kombu_connection(self.app, url, self._options.heartbeat)
            try:
                connect(connection)
                queue(connection.default_channel).queue_declare()
            except BaseException:
                drop(connection)
                raise
            return connection

        return open_as_it_is(open_with, OurConnection.failure, self._options.queue_type)

    def on_ready(self) -> None:
        """Say that the queue is being consumed."""
        self._backoff.reset()
        self.hub.call_soon(drain, self.connection.connection)  # what came with the consumer
        print_ready()
        self._was_ready = True

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Drop a lost connection, and wait before the next attempt; Celery's own waits 2, 4, 6, ... seconds."""
        connection, self.connection = self.connection, None
        drop(connection)
        self._wait_before_retry(exc)

    def _wait_before_retry(self, error: Exception) -> None:
        was_ready, self._was_ready = self._was_ready, False
        failed = OurConnection.failure(error)
        if self._backoff.gives_up(failed, was_ready):
            raise WorkerShutdown(EXIT_REFUSED)
        if self._stopping or self._backoff.wait(failed, self._signals.wait):
            raise WorkerShutdown(0)
