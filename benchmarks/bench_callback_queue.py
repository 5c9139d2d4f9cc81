"""What does a callback queue per call cost, as the tutorial warns? Three clients on pika alone.

The server is that of pika's tutorial. One call in flight; the clients differ in nothing but the callback queue.
"""

import itertools
from contextlib import ExitStack
from functools import partial
from typing import Any

import pika
import pytest

from benchmarks.conftest import Cases, Effort, Progress, Publish, Results
from benchmarks.measure import Sample, interleave, time_calls, warm_up
from benchmarks.rig import Rig, Setting

QUESTION = "What does a callback queue per call cost?"


class OnePerClient:
    """Declare and consume one callback queue, once."""

    def __init__(self, url: str, queue: str) -> None:
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel = self._connection.channel()
        self._queue = queue
        self._ids = itertools.count()
        self._answer: tuple[str, int] | None = None
        self._set_up()

    def _set_up(self) -> None:
        self._callback_queue = self._consume(self._channel.queue_declare("", exclusive=True))

    def call(self, n: int) -> int:
        """Return fib(n)."""
        correlation_id = str(next(self._ids))
        self._channel.basic_publish(
            exchange="",
            routing_key=self._queue,
            body=str(n).encode(),
            properties=pika.BasicProperties(
                reply_to=self._callback_queue, correlation_id=correlation_id
            ),
        )
        while self._answer is None or self._answer[0] != correlation_id:
            self._connection.process_data_events(time_limit=None)
        return self._answer[1]

    def _consume(self, declared: Any) -> str:
        name: str = declared.method.queue
        self._tag = self._channel.basic_consume(name, self._on_reply, auto_ack=True)
        return name

    def _on_reply(self, _channel: Any, _method: Any, properties: Any, body: bytes) -> None:
        self._answer = properties.correlation_id, int(body)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class OnePerCall(OnePerClient):
    """Declare, consume and delete a callback queue for each call."""

    def _set_up(self) -> None:
        """Nothing is prepared."""

    def call(self, n: int) -> int:
        """Return fib(n)."""
        super()._set_up()
        try:
            return super().call(n)
        finally:
            self._channel.queue_delete(self._callback_queue)


class DirectReplyTo(OnePerClient):
    """RabbitMQ's pseudo-queue: replies go to the channel that sent the request, and no queue is declared."""

    def _set_up(self) -> None:
        self._callback_queue = "amq.rabbitmq.reply-to"
        self._channel.basic_consume(self._callback_queue, self._on_reply, auto_ack=True)


CLIENTS: dict[str, type[OnePerClient]] = {
    "a queue per call": OnePerCall,
    "a queue per client": OnePerClient,
    "direct reply-to": DirectReplyTo,
}


def take(client: OnePerClient, effort: Effort) -> Sample:
    """Take one slot."""
    warm_up(client.call)
    return time_calls(client.call, 0, effort.seconds, effort.calls)


@pytest.fixture(scope="module")
def measured(rig: Rig, cases: Cases, effort: Effort, progress: Progress) -> Results:
    """Time `call(0)` of the three in turn."""
    queue = rig.service(Setting("first_pika")).queue
    with ExitStack() as stack:
        slots = {}
        for id_, params in cases.items():
            client = CLIENTS[params["program"]](rig.url, queue)
            stack.callback(client.close)
            slots[id_] = partial(take, client, effort)
        return interleave(slots, effort.passes, progress)


@pytest.mark.parametrize("program", CLIENTS)
def test_callback_queue(program: str, publish: Publish) -> None:
    """The time from `call` to its answer."""
    publish()
