"""The worker's consumer: Celery's own, in the four places where it does not keep the contract.

What Celery does here: the event loop, and from each message a request, handed to the pool.
What it leaves to you: six kinds of message end a worker, stay in the queue and end the next;
a reply and its acknowledgement travel on two connections, in no order; a signal is seen when the
loop happens to wake up; a lost connection is tried again after 2, 4, 6, ... seconds.
"""

import json
import logging
import math
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from celery import states
from celery.exceptions import WorkerShutdown
from celery.utils.objects import Bunch
from celery.worker.consumer import Connection, Consumer, Tasks
from celery.worker.consumer.consumer import Evloop
from kombu import Producer

from celery_impl.app import (
    MAX_RECONNECT_DELAY,
    RECONNECT_DELAY,
    TASK,
    PlainMessage,
    describe,
    drain,
    drop,
    open_connection,
    refusal,
)
from contract.address import shown
from contract.errors import InvalidRequest
from contract.fibonacci import check_n
from contract.programs import EXIT_REFUSED, ServerOptions, asked_to_stop, say_ready
from contract.wire import CONTENT_TYPE, MAX_BODY, is_json, message_of

log = logging.getLogger(__name__)


class RpcConsumer(Consumer):
    """Consumes the request queue, replies and acknowledges, connects and stops."""

    class Blueprint(Consumer.Blueprint):  # type: ignore[valid-type,misc]
        """The steps that are needed; another declares 28 queues when ours is a quorum queue."""

        default_steps = (Connection, Tasks, Evloop)

    app: Any
    hub: Any
    pool: Any
    connection: Any
    task_consumer: Any
    connection_errors: Any

    def __init__(
        self, *args: Any, options: ServerOptions, signals: socket.socket, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.initial_prefetch_count = options.prefetch  # Celery's setting has multiples only
        self._options = options
        self._signals = signals
        self._delay = RECONNECT_DELAY
        self._stopping = False
        self._in_use = False  # the connection
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
            if channel.connection is not None:  # else the request was given to somebody else (C11)
                send()

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

    def connect(self) -> Any:
        """Return a connection, however long it takes."""
        while True:
            try:
                connection = open_connection(self.app, self._options.urls, self._options.heartbeat)
                break
            except Exception as error:
                self._pause(error)
        # kombu's own reader takes one message, and leaves the next to the next time the loop wakes
        # up: when both came in one TLS record, that is when a job ends, or a timer up to 10 s later
        self.hub.add_reader(connection.connection.sock, drain, connection.connection)
        # the loop begins with this, and swallows what it raises: that the queue is gone, for one
        connection.drain_events = lambda **_: None
        channel = connection.default_channel
        channel.auto_decode = False  # else bodies arrive as text, in what encoding a message names
        channel.Message = PlainMessage
        self._producer = Producer(channel, auto_declare=False)
        return connection

    def on_ready(self) -> None:
        """Say that the queue is being consumed."""
        self._delay = RECONNECT_DELAY
        self.hub.call_soon(drain, self.connection.connection)  # what came with the consumer
        say_ready()
        self._in_use = True

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Drop a lost connection, and wait before the next attempt."""
        connection, self.connection = self.connection, None
        drop(connection)
        self._pause(exc)

    def _pause(self, error: Exception) -> None:
        in_use, self._in_use = self._in_use, False
        if refusal(error, in_use):
            log.error("the broker refused: %s", describe(error))
            raise WorkerShutdown(EXIT_REFUSED)
        if self._stopping:
            raise WorkerShutdown(0)
        log.warning(
            "no connection to %s (%s), next attempt in %.2f s",
            shown(self._options.urls),
            describe(error),
            self._delay,
        )
        if asked_to_stop(self._signals, self._delay):
            raise WorkerShutdown(0)
        self._delay = min(2 * self._delay, MAX_RECONNECT_DELAY)


def decode_request(message: Any) -> int:
    """Return the n that a task message asks for (C9).

    Raises:
        InvalidRequest: it does not call our task with one valid n, in Celery's protocol 2.
    """
    headers, body = message.headers, bytes(message.body or b"")  # an empty body comes as text
    if not message.content_type or not is_json(message.content_type):
        raise InvalidRequest(
            f"content type must be {CONTENT_TYPE}, not {message.content_type!r:.80}"
        )
    if len(body) > MAX_BODY:
        raise InvalidRequest(f"body must be at most {MAX_BODY} bytes, and has {len(body)}")
    if headers.get("task") != TASK or not isinstance(headers.get("id"), str):
        raise InvalidRequest(f"headers must be of a call of the task {TASK!r}, with an id")
    try:
        content = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"body is not JSON: {error}") from None
    match content:
        case [[n], {**kwargs}, dict()] | [[], {"n": n, **kwargs}, dict()] if not kwargs:
            return check_n(n)
    raise InvalidRequest("body must be [[n], {}, {...}]: one argument, n")


def rewrite(message: Any, n: int) -> Any:
    """Return the message with n, and nothing else that Celery would obey.

    A message may also ask it to run later, to stop in a second, or to call other tasks.
    """
    channel, expiration = message.channel, message.properties.get("expiration")
    # C5: counted from the delivery, on this machine's own clock, so that no two clocks must agree
    deadline = time.monotonic() + int(expiration) / 1000 if expiration else math.inf

    def wanted() -> bool:
        return channel.connection is not None and time.monotonic() < deadline

    message.headers = {"task": TASK, "id": message.headers["id"], "wanted": wanted}
    message.content_type, message.content_encoding = CONTENT_TYPE, "utf-8"
    message.body = json.dumps([[n], {}, {}]).encode()
    return message
