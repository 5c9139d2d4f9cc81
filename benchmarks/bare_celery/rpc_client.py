"""A client that writes task messages with Celery and reads results with kombu, in the caller's thread."""

from typing import Any

from kombu import Consumer, Producer, Queue

from benchmarks.bare import BareClient
from benchmarks.bare_celery.app import make_app
from contract import fib
from rpc_core.addresses import broker_urls


class FibonacciRpcClient(BareClient):
    """One connection, for one thread."""

    def __init__(
        self, url: str | None = None, *, queue: str = "rpc_queue", queue_type: str = "classic"
    ) -> None:
        super().__init__()
        self._app = make_app(broker_urls(url)[0], queue, fib)
        self._queue = Queue(queue, exchange="", routing_key=queue)
        self._connection = self._app.connection_for_write()
        channel = self._connection.default_channel
        self._producer = Producer(channel, auto_declare=False)
        self._callback_queue = Queue("", exclusive=True, durable=False).bind(channel)
        self._callback_queue.declare()  # here: a consumer would declare a copy, which keeps the name
        Consumer(
            channel,
            [self._callback_queue],
            callbacks=[self._on_result],
            accept=["json"],
            no_ack=True,
            auto_declare=False,
        ).consume()

    def close(self) -> None:
        """Close the connection."""
        self._connection.release()
        self._app.close()

    def _run_once(self) -> None:
        self._connection.drain_events()

    def _publish(self, n: int, correlation_id: str) -> None:
        amqp = self._app.amqp
        message = amqp.create_task_message(
            correlation_id, "fib", (n,), reply_to=self._callback_queue.name
        )
        amqp.send_task_message(
            self._producer, "fib", message, queue=self._queue, declare=[], retry=False
        )

    def _on_result(self, result: Any, message: Any) -> None:
        self._answers[message.properties["correlation_id"]] = result["result"]
