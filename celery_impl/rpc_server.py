"""A server that is a Celery worker: Celery's event loop consumes, its thread pool computes, `rpc://` replies.

What Celery does here: the worker (its steps, its event loop with the heartbeats, its pool), the task, the
order of work: compute, store the result, acknowledge.
What it leaves to you: five kinds of message kill a worker, and then the next; replies and acknowledgements
travel on two connections; it stops when its loop happens to wake up; it connects again every 2, 4, 6, ... s.
"""

import json
import logging
import select
import socket
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from celery import states
from celery.app.trace import setup_worker_optimizations
from celery.exceptions import Ignore, WorkerShutdown
from celery.utils.objects import Bunch
from celery.worker.consumer import Connection, Consumer, Tasks
from celery.worker.consumer.consumer import Evloop
from kombu import Producer

from celery_impl.app import (
    MAX_RECONNECT_DELAY,
    RECONNECT_DELAY,
    TASK,
    describe,
    drop,
    make_app,
    open_connection,
    refusal,
)
from contract.errors import InvalidRequest, RemoteError
from contract.fibonacci import check_n
from contract.programs import (
    EXIT_REFUSED,
    READY_LINE,
    ServerOptions,
    parse_server_options,
    stop_signals,
)
from contract.wire import CONTENT_TYPE, MAX_BODY, encode_result, is_json, message_of

log = logging.getLogger(__name__)


def serve(options: ServerOptions) -> int:
    """Serve until SIGTERM or SIGINT, and return the exit code."""
    app = make_app(options.queue, options.queue_type, options.heartbeat)
    app.task(name=TASK, bind=True, shared=False, throws=(InvalidRequest, RemoteError))(
        partial_task(options.function)
    )
    setup_worker_optimizations(
        app
    )  # as `celery worker` does: the pool's threads find the application
    with stop_signals() as signals:
        worker = app.WorkController(
            pool="threads",
            concurrency=options.concurrency,
            consumer_cls=partial(RpcConsumer, options=options, signals=signals),
            without_mingle=True,
            without_gossip=True,
            without_heartbeat=True,
        )
        worker.start()
    return int(worker.exitcode or 0)


def partial_task(function: Callable[[int], int]) -> Callable[[Any, int], int]:
    """Return the body of the task."""

    def fibonacci(self: Any, n: int) -> int:
        if not self.request.wanted():
            raise Ignore
        try:
            result = function(n)
            encode_result(result)
        except InvalidRequest:
            raise
        except (
            BaseException
        ) as error:  # SystemExit too: a function must not be able to end its server
            log.exception("the function raised")
            raise RemoteError(type(error).__name__, message_of(error)) from None
        return result

    return fibonacci


class RpcConsumer(Consumer):
    """Celery's consumer, made to survive any message, to reply and acknowledge in order, to stop at once."""

    class Blueprint(Consumer.Blueprint):
        """The steps that are needed. The others declare 28 queues of their own for a quorum queue."""

        default_steps = (Connection, Tasks, Evloop)

    def __init__(
        self, *args: Any, options: ServerOptions, signals: socket.socket, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.initial_prefetch_count = options.prefetch  # Celery knows multiples of the concurrency
        self._options = options
        self._signals = signals
        self._delay = RECONNECT_DELAY
        self._stopping = False
        self._outbox: deque[tuple[Any, Callable[[], object]]] = deque()
        self._producer: Any = None
        self.app.backend.send_reply = self._send_reply

    # -- requests ---------------------------------------------------------------------------------------

    def create_task_handler(self, *args: Any) -> Callable[[Any], None]:
        """Return what is called with each message: Celery's handler, behind a check."""
        handle = super().create_task_handler(*args)

        def on_message(message: Any) -> None:
            log.debug(
                "<- request %s: %.100r", message.properties.get("correlation_id"), message.body
            )
            try:
                n = decode_request(message)
            except Exception as error:  # no message may end the worker, whatever it is
                self.on_decode_error(message, error)
            else:
                handle(rewrite(message, n))

        return on_message

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """C9: answer a request that cannot be served. Celery's own logs it and drops it."""
        log.warning("invalid request: %.200s", exc)
        request = Bunch(
            reply_to=message.properties.get("reply_to"),
            correlation_id=message.properties.get("correlation_id"),
        )
        error = InvalidRequest(message_of(exc))
        self.app.backend.store_result(None, error, states.FAILURE, request=request)
        self.call_soon_ack(message.ack_log_error, log, self.connection_errors)

    # -- replies and acknowledgements: in order, and in the event loop's thread ----------------------------

    def _send_reply(self, meta: dict[str, Any], reply_to: str, correlation_id: str | None) -> None:
        log.debug("-> reply %s: %.100r", correlation_id, meta)
        send = partial(
            self._producer.publish,
            meta,
            exchange="",
            routing_key=reply_to,
            correlation_id=correlation_id,
            serializer="json",
            delivery_mode="transient",
        )
        self._outbox.append((self._producer.channel, send))

    def call_soon_ack(self, p: Any, *args: Any) -> None:
        """Acknowledge after the reply (C14): Celery's event loop keeps its callbacks in a set."""
        self._outbox.append((p.__self__.channel, partial(p, *args)))
        self.hub.call_soon(self._flush)

    def _flush(self) -> None:
        while self._outbox:
            channel, send = self._outbox.popleft()
            if (
                channel.connection is not None
            ):  # else the broker has given the request to somebody else
                send()

    # -- stopping (C17) ----------------------------------------------------------------------------------

    def register_with_event_loop(self, hub: Any) -> None:
        """Have the signals wake the loop; Celery's own waits for its next timer, up to 10 s."""
        super().register_with_event_loop(hub)
        if not self._stopping:
            hub.add_reader(self._signals, self._on_signal)

    def _on_signal(self) -> None:
        log.info("stopping: finishing what is being computed")
        self._stopping = True
        self.hub.remove_reader(self._signals)
        self.task_consumer.cancel()
        threading.Thread(target=self._finish).start()  # the loop goes on: heartbeats, replies

    def _finish(self) -> None:
        self.pool.stop()  # what no thread has begun goes back to the queue when the connection closes
        self.hub.call_soon(self._exit)

    def _exit(self) -> None:
        self._flush()
        raise WorkerShutdown(0)

    # -- connecting --------------------------------------------------------------------------------------

    def connect(self) -> Any:
        """Return a connection, however long it takes."""
        while True:
            try:
                connection = open_connection(self.app, self._options.urls, self._options.heartbeat)
                break
            except Exception as error:
                self._pause(error)
        connection.transport.register_with_event_loop(connection.connection, self.hub)
        channel = connection.default_channel
        channel.auto_decode = False  # or bodies are decoded as whatever encoding a message names
        self._producer = Producer(channel, auto_declare=False)
        return connection

    def on_ready(self) -> None:
        """Say that requests are being consumed; Celery's own calls this after each connect."""
        self._delay = RECONNECT_DELAY
        print(READY_LINE, flush=True)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Drop a lost connection, and wait before the next attempt."""
        connection, self.connection = self.connection, None
        drop(connection)
        self._pause(exc)

    def _pause(self, error: Exception) -> None:
        if refusal(error):
            log.error("the broker refused: %s", describe(error))
            raise WorkerShutdown(EXIT_REFUSED)
        if self._stopping:
            raise WorkerShutdown(0)
        log.warning("no connection (%s), next attempt in %.2f s", describe(error), self._delay)
        if select.select([self._signals], [], [], self._delay)[0]:
            raise WorkerShutdown(0)
        self._delay = min(2 * self._delay, MAX_RECONNECT_DELAY)


def decode_request(message: Any) -> int:
    """Return the n that a task message asks for (C9).

    Raises:
        InvalidRequest: it is not a message of Celery's protocol 2 that calls our task with one valid n.
    """
    headers, body = message.headers, bytes(message.body or b"")  # an empty one comes as text
    if not (message.content_type and is_json(message.content_type)):
        raise InvalidRequest(
            f"content type must be {CONTENT_TYPE}, not {message.content_type!r:.100}"
        )
    if len(body) > MAX_BODY:
        raise InvalidRequest(f"body must be at most {MAX_BODY} bytes, and has {len(body)}")
    if headers.get("task") != TASK or not isinstance(headers.get("id"), str):
        raise InvalidRequest(f"headers must have task {TASK!r} and an id")
    try:
        content = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"body is not JSON: {error}") from None
    match content:
        case [[n], {**kwargs}, dict()] | [[], {"n": n, **kwargs}, dict()] if not kwargs:
            return check_n(n)
    raise InvalidRequest("body must be [[n], {}, {...}]: one argument, n")


def rewrite(message: Any, n: int) -> Any:
    """Return the message with nothing in it but n, and whether an answer is still wanted.

    Celery obeys what else a message may say: run later, time limits, tasks to call with the result.
    """
    received, channel = time.monotonic(), message.channel
    # C5: counted from the delivery, on this machine's own clock, so that no two clocks must agree
    expiration = message.properties.get("expiration")
    deadline = received + int(expiration) / 1000 if expiration else float("inf")

    def wanted() -> bool:
        return channel.connection is not None and time.monotonic() < deadline

    message.headers = {"task": TASK, "id": message.headers["id"], "wanted": wanted}
    message.content_type, message.content_encoding = CONTENT_TYPE, "utf-8"
    message.body = json.dumps([[n], {}, {}]).encode()
    return message


if __name__ == "__main__":
    sys.exit(serve(parse_server_options("celery_impl")))
