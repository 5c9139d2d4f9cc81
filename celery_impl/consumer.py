"""The worker's consumer: Celery's own, in the places where it does not keep the contract.

The main thread runs Celery's event loop, which reads, replies and acknowledges; the pool's threads compute. A
request goes `on_message` -> Celery -> pool: `task_body`, `RpcBackend.store_result`, `call_soon_ack` -> `_settle`.
"""

import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import kombu
from celery import states
from celery.exceptions import WorkerShutdown
from celery.worker import state
from celery.worker.consumer import Connection, Consumer, Control, Heart, Tasks
from celery.worker.consumer.consumer import Evloop
from kombu import Message, Producer

from celery_impl.connection import failure_of, open_connection
from celery_impl.requests import Job, decode_request, rewrite
from celery_impl.results import encode_result
from contract.errors import InvalidRequest
from contract.wire import message_of
from kombu_common.connection import drain, drop
from kombu_common.hardening import keep_bodies_as_they_came
from rpc_core.connecting import ServerBackoff, open_any
from rpc_core.programs import EXIT_REFUSED, ServerOptions, StopSignals, print_ready

PAUSE = 0.1  # seconds between two looks at threads that compute for a connection that was lost

log = logging.getLogger(__name__)


class RpcConsumer(Consumer):
    """Consumes the request queue, replies and acknowledges, connects and stops."""

    class Blueprint(Consumer.Blueprint):  # type: ignore[valid-type,misc]
        """The steps that are needed; DelayedDelivery, for one, declares 28 queues when ours is a quorum queue."""

        default_steps = (Connection, Tasks, Evloop, Heart, Control)  # the last two if `monitored`

    hub: Any
    connection: Any
    task_consumer: Any
    connection_errors: Any

    def __init__(
        self, *args: Any, options: ServerOptions, signals: StopSignals, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._options = options
        self._signals = signals
        self._backoff = ServerBackoff(log, options.urls)
        self._held: dict[Message, Job] = {}  # not acknowledged yet
        self._done: deque[tuple[Message, Callable[[], object]]] = deque()  # with what acknowledges
        self._stopping = False
        self._was_ready = False  # the connection

    # -- requests (C9) -----------------------------------------------------------------------------

    def create_task_handler(self, *args: Any) -> Callable[[Message], None]:
        """Return what is called with each message: Celery's handler, behind a check."""
        handle = super().create_task_handler(*args)

        def on_message(message: Message) -> None:
            id_ = message.properties.get("correlation_id")
            log.debug("<- request %s: %.100r", id_, message.body)
            self._backoff.on_request()
            try:
                self._held[message] = rewrite(
                    message, decode_request(message, self._options.service)
                )
            except Exception as error:  # whatever a message does, it must not end the worker
                self.on_decode_error(message, error)
            else:
                handle(message)

        return on_message

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        """Answer a request that cannot be served; Celery's own only drops it."""
        log.warning("invalid request: %.200s", exc)
        error = InvalidRequest(message_of(exc))
        id_ = message.properties.get("correlation_id") or ""
        reply = encode_result(id_, error, states.FAILURE)
        self._held[message] = Job(message.channel, reply=reply)
        self.call_soon_ack(message.ack_log_error, log, self.connection_errors)
        self._settle()  # at once: in its own thread nothing wakes the loop up

    # -- replies and acknowledgements (C14) --------------------------------------------------------

    def call_soon_ack(self, p: Any, *args: Any) -> None:
        """Have a request settled. Celery calls this in the pool's thread, when it has stored the result.

        Its own acknowledges; the reply travels on another connection, and may be sent later.
        """
        # p is a method of the message that acknowledges it: `message.ack_log_error`
        self._done.append((p.__self__, partial(p, *args)))
        self.hub.call_soon(self._settle)

    def _settle(self) -> None:
        """In the event loop's thread: send the reply, and then the acknowledgement."""
        while self._done:
            message, acknowledge = self._done.popleft()
            job = self._held.pop(message)
            if job.is_lost:
                self._raise_prefetch()
                continue
            self._backoff.on_reply()
            if job.reply and (reply_to := message.properties.get("reply_to")):
                id_ = message.properties.get("correlation_id") or job.reply["task_id"] or None
                log.debug("-> reply %s: %.100r", id_, job.reply)
                self._producer.publish(
                    job.reply,
                    exchange="",
                    routing_key=reply_to,
                    correlation_id=id_,
                    serializer="json",
                    delivery_mode="transient",  # type: ignore[arg-type]  # the stub lacks it
                )
            acknowledge()

    # -- prefetch (C15): threads that compute for a lost connection begin nothing else -----------------

    def _prefetch(self) -> int:
        # Celery's own setting has multiples of the concurrency only
        prefetch, concurrency = self._options.prefetch, self._options.concurrency
        busy = min(concurrency, sum(job.is_lost for job in self._held.values()))
        return max(1, prefetch - -(-prefetch * busy // concurrency))

    def _raise_prefetch(self) -> None:
        more = self._prefetch() - self.initial_prefetch_count
        if self.connection and more > 0:
            self.initial_prefetch_count += more
            additional = self.app.amqp.TaskConsumer(
                self.connection, on_decode_error=self.on_decode_error
            )
            additional.on_message = self.task_consumer.on_message
            additional.qos(prefetch_count=more)  # its own, beside that of the first
            additional.consume()

    # -- stopping (C17) ----------------------------------------------------------------------------

    def register_with_event_loop(self, hub: Any) -> None:
        """Let a signal wake the loop, which else goes on until its next timer, up to 10 s."""
        super().register_with_event_loop(hub)
        hub.add_reader(self._signals, self._on_signal)

    def _on_signal(self) -> None:
        log.info("stopping: finishing what is being computed")
        self._stopping = True
        self.hub.remove_reader(self._signals)
        channel = self.connection.default_channel
        for tag in list(channel.callbacks):
            channel.basic_cancel(tag)
        # what no thread has begun returns to the queue when the connection ends
        self.pool.executor.shutdown(wait=False, cancel_futures=True)
        # WorkerShutdown stops the loop, which has replies to send, and heartbeats, until all is done
        self.hub.on_tick.add(self._exit_when_done)

    def _exit_when_done(self) -> None:
        if not state.active_requests:
            raise WorkerShutdown(0)

    # -- connecting (C18) --------------------------------------------------------------------------

    def connect(self) -> kombu.Connection:
        """Return a connection, however long it takes; Celery's own gives up after 100 attempts."""
        while len(self._held) >= self._options.concurrency:  # C15: it could begin nothing
            if self._signals.wait(PAUSE):
                raise WorkerShutdown(0)
            self._settle()
        while True:
            try:
                connection = self.connection_for_write()
                break
            except Exception as error:
                self._wait_before_retry(error)
        self.initial_prefetch_count = self._prefetch()
        # kombu's own reader takes one message, and leaves the next to the next time the loop wakes
        # up: when both came in one TLS record, that is when a job ends, or a timer up to 10 s later
        self.hub.add_reader(connection.connection.sock, drain, connection.connection)
        # else a prefetch is the channel's, which a quorum queue does not allow; now each consumer's
        connection.transport.qos_semantics_matches_spec = lambda connection: True  # type: ignore[method-assign]
        # the loop begins with this, and swallows what it raises: that the queue is gone, for one
        connection.drain_events = lambda **_: None  # type: ignore[method-assign]
        keep_bodies_as_they_came(connection.default_channel)
        self._producer = Producer(connection.default_channel, auto_declare=False)
        return connection

    def connection_for_write(self, *_: Any, **__: Any) -> kombu.Connection:
        """Return a connection, or raise; Celery's own also connects here for its events."""
        return open_any(
            self._options.urls,
            lambda url: open_connection(self.app, url, self._options),
            failure_of,
            lambda: self._signals.stop_requested,
        )

    def on_ready(self) -> None:
        """Say that the queue is being consumed."""
        self._backoff.reset()
        self.hub.call_soon(drain, self.connection.connection)  # what came with the consumer
        print_ready()
        self._was_ready = True

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Drop a lost connection, and wait before the next attempt; Celery's own waits 2, 4, 6, ... seconds.

        Celery calls this in the main thread, when a loss has raised out of the event loop, and then `connect`.
        """
        connection, self.connection = self.connection, None
        drop(connection)
        self._wait_before_retry(exc)

    def _wait_before_retry(self, error: Exception) -> None:
        was_ready, self._was_ready = self._was_ready, False
        failed = failure_of(error)
        if self._backoff.gives_up(failed, was_ready):
            raise WorkerShutdown(EXIT_REFUSED)
        if self._stopping or self._backoff.wait(failed, self._signals.wait):
            raise WorkerShutdown(0)
