"""The worker's consumer: Celery's own, but for how it connects, reads, replies, acknowledges and stops.

The main thread does all this, and the pool's threads compute. A request goes `_on_message` -> Celery -> pool:
`task_body`, `RpcBackend.store_result`, `call_soon_ack` -> main thread: `perform_pending_operations`.
"""

import logging
from collections import deque
from operator import attrgetter
from typing import Any

from celery.exceptions import WorkerShutdown
from celery.worker.consumer import Consumer
from celery.worker.state import active_requests
from kombu import Connection, Exchange, Producer

from celery_impl import connection
from celery_impl.requests import TaskMessage, check
from rpc_core.connecting import ServerBackoff, open_any
from rpc_core.programs import EXIT_REFUSED, ServerOptions, StopSignals, print_ready
from rpc_core.refusals import Failure
from rpc_core.workers import start_threads

log = logging.getLogger(__name__)


class RpcConsumer(Consumer):
    """Consumes the request queue. Its methods stand in the order in which Celery calls them."""

    def __init__(self, *args: Any, options: ServerOptions, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        start_threads(self.pool.executor, options.concurrency)  # Celery's wait for jobs
        self._options = options
        self.signals = StopSignals(self._wake)
        self._backoff = ServerBackoff(log, options.urls)
        self._lost: Failure | None = None  # what ended the last connection, or attempt
        self._held: set[TaskMessage] = set()  # not acknowledged yet
        self._done: deque[TaskMessage] = deque()  # by the pool

    def connect(self) -> Connection:
        """Return a connection, however long it takes (C18); Celery's own gives up after 100 attempts."""
        while True:
            if self._lost is not None:
                if self._backoff.gives_up(self._lost):
                    raise WorkerShutdown(EXIT_REFUSED)
                if self.signals.stop_requested or self._backoff.wait(self._lost, self.signals.wait):
                    raise WorkerShutdown(0)
            try:
                self._link = open_any(
                    self._options.urls,
                    lambda url: connection.open_connection(self.app, url, self._options),
                    connection.Connection.failure,
                    lambda: self.signals.stop_requested,
                )
            except Exception as error:
                self._lost = connection.Connection.failure(error)
            else:
                self._link.channel.Message = TaskMessage
                # 1 is transient: kombu's default is to write every message to disk
                self._producer = Producer(self._link.channel, Exchange(delivery_mode=1))
                return self._link.kombu

    def loop(self, *_: Any) -> None:
        """Serve until told to stop; then finish what is being computed (C16, C17).

        Celery's own loop sees a signal when something wakes it, up to 10 s later. And it ends before the last job
        does: until then there would be no heartbeats, and no replies.
        """
        self._handle = self.create_task_handler()
        self._prefetch = 0
        self._consume()
        self._backoff.on_ready()
        print_ready()
        while not self.signals.stop_requested:
            self._link.read()
            self.perform_pending_operations()
            self._consume()
        self._stop()
        while active_requests:
            self._link.read()
            self.perform_pending_operations()
        raise WorkerShutdown(0)

    def _on_message(self, message: TaskMessage) -> None:
        log.debug("<- request %s: %.100r", message.correlation_id, message.body)
        self._backoff.on_request()
        self._held.add(message)
        check(message, self._options.service)  # C9: before Celery's own code sees it
        if message.reply is None:
            self._handle(message)
        else:
            self._done.append(message)

    def call_soon_ack(self, p: Any, *_: Any) -> None:
        """Leave a request to the main thread. Called in the pool's thread, when the result is stored.

        Celery's own acknowledges at once: the reply travels on another connection, and may arrive later.
        """
        self._done.append(p.__self__)  # p is `message.ack_log_error`
        self._wake()

    def perform_pending_operations(self) -> None:
        """Reply, and then acknowledge (C14). Celery calls this once more, when the pool has ended."""
        super().perform_pending_operations()  # those of remote control
        while self._done:
            message = self._done.popleft()
            message.headers = {}  # they hold the message: a cycle, left to the garbage collector
            was_held = message in self._held
            self._held.discard(message)
            if message.is_lost or not was_held:
                continue  # C11, C17: the broker gives it to somebody else, who replies
            self._backoff.on_reply()
            if message.reply and (reply_to := message.properties.get("reply_to")):
                id_ = message.correlation_id or message.reply["task_id"] or None
                log.debug("-> reply %s: %.100r", id_, message.reply)
                self._producer.publish(message.reply, routing_key=reply_to, correlation_id=id_)
            message.ack()

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Drop a lost connection, which has raised out of the loop; then Celery calls `connect`.

        Celery's own tries to close it, and waits for a broker that may be silent.
        """
        self.connection, self._lost = None, self._link.failure(exc)
        self._link.drop()

    def _consume(self) -> None:
        """C15: take as many as the pool has room for; threads may still compute for a connection that was lost.

        Celery's own prefetch is the channel's, which a quorum queue does not allow; where Celery knows of one, it
        sets a number for the consumer, once. This is each consumer's: to take more, there is one consumer more.
        """
        if self._prefetch < self._options.prefetch:
            lost = sum(message.is_lost for message in self._held)
            busy = self._options.share(min(lost, self._options.concurrency))
            more = self._options.prefetch - busy - self._prefetch
            if more > 0:
                self._prefetch += more
                self.task_consumer = self.app.amqp.TaskConsumer(
                    self._link.channel, on_message=self._on_message, prefetch_count=more
                )
                self.task_consumer.consume()
                self._wake()  # a request that came with the answer is buffered: it ends no wait

    def _wake(self) -> None:
        if self.connection:
            self._link.wake()

    def _stop(self) -> None:
        log.info("stopping: finishing what is being computed")
        for tag in list(self._link.channel.callbacks):  # type: ignore[attr-defined]  # not in the stub
            self._link.channel.basic_cancel(tag)
        for message in sorted(self._held, key=attrgetter("delivery_tag")):  # as they came
            if not (message.is_lost or message.reply or next(message.claims)):
                self._link.nack(message)  # no thread has begun it, nor will
                self._held.remove(message)
