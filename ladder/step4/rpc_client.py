"""A thread owns the connection: it sends, reads and watches the deadlines. Callers only wait for futures."""

import threading
import time
from concurrent.futures import Future
from functools import partial

import pika
from pika.adapters.blocking_connection import BlockingChannel as Channel
from pika.spec import Basic, BasicProperties

from contract import RpcError, RpcTimeout
from contract.errors import MalformedReply
from contract.wire import CONTENT_TYPE, decode_reply, encode_request
from ladder.adapter import Call, Client, end, ending, parameters
from rpc_core.options import check_timeout
from rpc_core.programs import run_client


class FibonacciRpcClient(Client):
    """One connection, for any number of threads."""

    def open(self) -> None:
        """Get ready: a connection, and a callback queue that is this client's alone."""
        self.calls: dict[str, Call] = {}  # by correlation id
        self._connection = pika.BlockingConnection(parameters(self.urls[0], self.heartbeat))
        self._channel = self._connection.channel()
        # C6: by the client too, so that a request sent before the first server starts is kept for it
        self._channel.queue_declare(self.queue, durable=True, arguments=self.queue_arguments)
        self._callback_queue = self._channel.queue_declare("", exclusive=True).method.queue
        self._channel.basic_consume(self._callback_queue, self._on_reply, auto_ack=True)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def call(self, n: int, *, timeout: float | None = None) -> int:
        """Return fib(n), or raise `RpcTimeout` after `timeout` seconds (C4)."""
        return self.submit(n, timeout=timeout).result()

    def submit(self, n: int, *, timeout: float | None = None) -> "Future[int]":
        """Send the request, and return the future of its answer (C2)."""
        timeout = check_timeout(self.timeout if timeout is None else timeout)
        call = Call(encode_request(n), timeout)
        self.calls[call.id] = call
        # C3: the one method of pika's for other threads; it ends the wait in `_read`, and calls back there
        self._connection.add_callback_threadsafe(partial(self._publish, call))
        return call

    def _publish(self, call: Call) -> None:
        self.counters["sent"] += 1
        properties = BasicProperties(
            content_type=CONTENT_TYPE,
            reply_to=self._callback_queue,
            correlation_id=call.id,
            expiration=str(int(call.remaining * 1000)),  # C5: the broker drops it then
        )
        # "" is the default exchange: the routing key is the name of a queue
        self._channel.basic_publish("", self.queue, call.body, properties)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._read()
        self._connection.close()

    def _read(self) -> None:
        """Read until something comes or a deadline is there, and end the calls whose time is up."""
        pause = min((call.remaining for call in list(self.calls.values())), default=60.0)
        self._connection.process_data_events(time_limit=pause)
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
        if call is None or not call.set_running_or_notify_cancel():
            self.counters["late" if id_ else "unknown"] += 1
        else:
            self.counters[ending(outcome)] += 1
            end(call, outcome)

    def close(self) -> None:
        """Close the connection; the callback queue, which is exclusive, goes with it."""
        self._closing.set()
        self._connection.add_callback_threadsafe(lambda: None)
        self._thread.join()


if __name__ == "__main__":
    raise SystemExit(run_client(str(__package__), FibonacciRpcClient))
