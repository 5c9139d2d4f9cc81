"""What does a callback queue per call cost, as the tutorial warns? Three clients on pika alone.

Client and server are those of pika's tutorial. One call in flight; the clients differ in nothing but the callback
queue.
"""

from contextlib import ExitStack, closing
from functools import partial

import pytest

from benchmarks.conftest import Cases, Effort, Publish, Slots
from benchmarks.first_pika.rpc_client import FibonacciRpcClient
from benchmarks.measure import Sample, time_calls, warm_up
from benchmarks.rig import Rig, Setting


class OnePerCall(FibonacciRpcClient):
    """Declare, consume and delete a callback queue for each call."""

    def call(self, n: int) -> int:
        """Return fib(n)."""
        self._callback_queue = self._channel.queue_declare("", exclusive=True).method.queue
        self._channel.basic_consume(self._callback_queue, self._on_reply, auto_ack=True)
        try:
            return super().call(n)
        finally:
            self._channel.queue_delete(self._callback_queue)


class DirectReplyTo(FibonacciRpcClient):
    """RabbitMQ's pseudo-queue: replies go to the channel that sent the request, and no queue is needed."""

    def __init__(self, url: str, *, queue: str) -> None:
        super().__init__(url, queue=queue)
        self._callback_queue = "amq.rabbitmq.reply-to"
        self._channel.basic_consume(self._callback_queue, self._on_reply, auto_ack=True)


CLIENTS: dict[str, type[FibonacciRpcClient]] = {
    "a queue per call": OnePerCall,
    "a queue per client": FibonacciRpcClient,
    "direct reply-to": DirectReplyTo,
}


def take(client: FibonacciRpcClient, effort: Effort) -> Sample:
    """Take one slot."""
    warm_up(client.call)
    return time_calls(client.call, 0, effort.seconds, effort.calls)


def slots(rig: Rig, cases: Cases, effort: Effort, stack: ExitStack) -> Slots:
    """Return what takes one slot of each client; the stack closes them."""
    queue = rig.service(Setting("first_pika")).queue
    found: Slots = {}
    for id_, case in cases.items():
        new_client = CLIENTS[case.params["program"]]
        client = stack.enter_context(closing(new_client(rig.url, queue=queue)))
        found[id_] = partial(take, client, effort)
    return found


@pytest.mark.parametrize("program", CLIENTS)
def test_callback_queue(program: str, publish: Publish) -> None:
    """The time from `call` to its answer."""
    publish()
