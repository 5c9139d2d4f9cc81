"""A client that writes task messages with Celery and reads results with kombu, in the caller's thread."""

from typing import Any

from kombu import Queue

from benchmarks.bare_celery.app import make_app
from benchmarks.bare_kombu import rpc_client
from contract import fib


class FibonacciRpcClient(rpc_client.FibonacciRpcClient):
    """One connection, for one thread: bare kombu's, with Celery's messages."""

    def _connect(self) -> Any:
        self._app = make_app(self._url, self._queue, fib)
        self._request_queue = Queue(self._queue, exchange="", routing_key=self._queue)
        return self._app.connection_for_write()

    def close(self) -> None:
        """Close the connection."""
        super().close()
        self._app.close()

    def _publish(self, n: int, correlation_id: str) -> None:
        amqp = self._app.amqp
        message = amqp.create_task_message(
            correlation_id, "fib", (n,), reply_to=self._callback_queue.name
        )
        amqp.send_task_message(
            self._producer, "fib", message, queue=self._request_queue, declare=[], retry=False
        )

    def _on_reply(self, message: Any) -> None:
        self._answers[message.properties["correlation_id"]] = message.payload["result"]
