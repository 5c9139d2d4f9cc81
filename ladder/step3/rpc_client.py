"""A table of calls that are not answered yet. What comes in is checked, and counted."""

import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future

import pika
from pika.adapters.blocking_connection import BlockingChannel as Channel
from pika.spec import Basic, BasicProperties

from contract import RpcError, RpcTimeout
from contract.errors import MalformedReply
from contract.wire import CONTENT_TYPE, decode_reply, encode_request
from ladder.adapter import Client, end, ending, parameters
from rpc_core.options import check_timeout
from rpc_core.programs import run_client


class Call(Future[int]):
    """One call. Nobody reads but who waits for a result: `concurrent.futures.wait` would wait for ever."""

    def __init__(self, timeout: float, read: Callable[[], None]) -> None:
        super().__init__()
        self.id = str(uuid.uuid4())
        self.deadline = time.monotonic() + timeout
        self._read = read

    def result(self, timeout: float | None = None) -> int:
        """Read until this call has ended, and return its result or raise its error."""
        while not self.done():
            self._read()
        return super().result(timeout)


class FibonacciRpcClient(Client):
    """One connection, for one thread."""

    def open(self) -> None:
        """Get ready: a connection, and a callback queue that is this client's alone."""
        self.calls: dict[str, Call] = {}  # by correlation id
        self._connection = pika.BlockingConnection(parameters(self.urls[0], self.heartbeat))
        self._channel = self._connection.channel()
        # C6: by the client too, so that a request sent before the first server starts is kept for it
        self._channel.queue_declare(self.queue, durable=True, arguments=self.queue_arguments)
        self._callback_queue = self._channel.queue_declare("", exclusive=True).method.queue
        self._channel.basic_consume(self._callback_queue, self._on_reply, auto_ack=True)

    def call(self, n: int, *, timeout: float | None = None) -> int:
        """Return fib(n), or raise `RpcTimeout` after `timeout` seconds (C4)."""
        return self.submit(n, timeout=timeout).result()

    def submit(self, n: int, *, timeout: float | None = None) -> "Future[int]":
        """Send the request, and return the future of its answer (C2)."""
        timeout = check_timeout(self.timeout if timeout is None else timeout)
        body = encode_request(n)
        call = Call(timeout, self._read)
        self.calls[call.id] = call
        self.counters["sent"] += 1
        properties = BasicProperties(
            content_type=CONTENT_TYPE,
            reply_to=self._callback_queue,
            correlation_id=call.id,
            expiration=str(max(0, int(timeout * 1000))),  # C5: the broker drops it then
        )
        # "" is the default exchange: the routing key is the name of a queue
        self._channel.basic_publish("", self.queue, body, properties)
        return call

    def _read(self) -> None:
        """Read until something comes or a deadline is there, and end the calls whose time is up."""
        pause = min(call.deadline for call in self.calls.values()) - time.monotonic()
        self._connection.process_data_events(time_limit=max(0.0, pause))
        for call in list(self.calls.values()):
            if call.deadline <= time.monotonic():
                self._end(call.id, RpcTimeout("no answer before the deadline"))

    def _on_reply(self, _: Channel, _m: Basic.Deliver, reply: BasicProperties, body: bytes) -> None:
        try:
            self._end(reply.correlation_id, decode_reply(body, reply.content_type, reply.type))
        except MalformedReply:  # C13: the call goes on waiting
            self.counters["malformed"] += 1

    def _end(self, id_: str | None, outcome: int | RpcError) -> None:
        call = self.calls.pop(id_ or "", None)
        # C13: it has ended already, or was never ours
        if call is None:
            self.counters["late" if id_ else "unknown"] += 1
        else:
            self.counters[ending(outcome)] += 1
            end(call, outcome)

    def close(self) -> None:
        """Close the connection; the callback queue, which is exclusive, goes with it."""
        self._connection.close()


if __name__ == "__main__":
    raise SystemExit(run_client(str(__package__), FibonacciRpcClient))
