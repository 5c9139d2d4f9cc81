"""A kombu connection with one channel: how it is opened, read and closed.

kombu's `Connection` stands on py-amqp's, which is read here directly: kombu's own `drain_events` and
`heartbeat_check` connect again by themselves when the connection is lost, without the consumers.
"""

import selectors
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial

import amqp
import kombu
from amqp import spec
from kombu.transport import pyamqp
from vine import promise

from kombu_common.hardening import Stream, harden
from rpc_core.forks import close_in_child
from rpc_core.limits import CLOSE_TIMEOUT
from rpc_core.refusals import Failure
from rpc_core.waking import Waker


class Connection:
    """One connection, until it is closed or lost. One thread at a time uses it; others may only `wake` it."""

    def __init__(self, connection: kombu.Connection) -> None:
        self.is_waiting = False
        """Whether `read` only waits: an exception there leaves the connection whole."""
        self._next_check = 0.0  # time.monotonic()
        self._connection = connection
        self._freed = ExitStack()  # with what else has to be freed
        try:
            self._wake_reader, self._wake_writer = map(
                self._freed.enter_context, socket.socketpair()
            )
            self._wake_writer.setblocking(False)
            self._waker = Waker(partial(self._wake_writer.send, b"."))
            self._selector = self._freed.enter_context(selectors.DefaultSelector())
            # not connect(), which would try twice, two seconds apart
            connection.ensure_connection(max_retries=0, reraise_as_library_errors=False)
            self._amqp: amqp.Connection = connection.connection  # py-amqp's, below kombu's
            close_in_child(self._amqp.transport.sock)
            self._stream = harden(self._amqp)
            self._socket: socket.socket = self._amqp.transport.sock
            self.channel: pyamqp.Channel = connection.default_channel  # type: ignore[assignment]  # over AMQP it is
        except BaseException:
            self.drop()
            raise
        # the interval agreed on, which the broker may have lowered; py-amqp sends one when half of it is over
        self._heartbeat_check = (self._amqp.heartbeat or 0) / 4
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self.wake()  # what came while setting up may be buffered in TLS, and would not end the first wait

    def read(self, *, wait: bool = True) -> None:
        """Send what was published; wait until something arrives, and handle it. A heartbeat may be due."""
        self.is_waiting = False  # Ctrl-C may have left it so
        self._stream.send_all()
        self.is_waiting = True
        ready = self._selector.select(self._heartbeat_check) if wait else []
        self.is_waiting = False
        if any(key.fileobj is self._wake_reader for key, _ in ready):
            self._wake_reader.recv(1024)
        self._waker.awake()  # after recv
        drain(self._amqp, self._stream)
        if (now := time.monotonic()) >= self._next_check:
            self._next_check = now + self._heartbeat_check
            self._amqp.heartbeat_tick()

    def wake(self) -> None:
        """End the wait in `read`, or the next one. From any thread."""
        self._waker.wake()

    def count_consumers_of(self, queue: kombu.Queue, on_count: Callable[[int], None]) -> None:
        """Declare a request queue, and have the number of its consumers handled when it arrives (C6).

        `queue_declare` would wait for it, for ever if the broker is silent; there is no public way not to.
        """
        self.channel._pending[spec.Queue.DeclareOk] = promise(  # type: ignore[attr-defined]  # not in the stub
            lambda _method, _name, _messages, consumers: on_count(consumers)
        )
        self.channel.send_method(
            spec.Queue.Declare,
            "BsbbbbbF",
            # reserved, name, passive, durable, exclusive, auto_delete, no_wait, arguments
            (0, queue.name, False, True, False, False, False, queue.queue_arguments),
        )

    def nack(self, message: kombu.Message) -> None:
        """Give a message back to its queue (C17).

        Not `message.requeue()`, which is basic.reject: a quorum queue counts that as an attempt that failed, from
        RabbitMQ 4.3 on. py-amqp has no method for this one. Here: tag, multiple, requeue.
        """
        self.channel.send_method(spec.Basic.Nack, "Lbb", (message.delivery_tag, False, True))

    def close(self) -> None:
        """Tell the broker, and wait for its answer for `CLOSE_TIMEOUT` at most."""
        # not kombu's own `release`: when the broker does not answer, it leaves the socket open
        with suppress(Exception):
            self._socket.settimeout(CLOSE_TIMEOUT)
            self._amqp.close()
        self.drop()

    def drop(self) -> None:
        """Free everything without a word to the broker, which may be silent."""
        with suppress(Exception):
            self._connection.collect(socket_timeout=0)
        self._freed.close()

    @staticmethod
    def failure(error: BaseException) -> Failure:
        """Return what an exception of kombu's or py-amqp's comes down to."""
        # a broker that takes no password from anybody; what a broker itself says is of a subclass, with its code
        if type(error) is amqp.ConnectionError:
            return Failure(error, 403)
        return Failure(error, getattr(error, "reply_code", None))


def drain(connection: amqp.Connection, stream: Stream) -> None:
    """Handle everything that has arrived, without waiting for more; raise if the connection is lost.

    Until nothing is left: what a layer below has buffered would not wake a selector again.
    """
    transport = connection.transport
    with suppress(TimeoutError):  # before OSError, of which it is a kind
        while True:
            # what `drain_events` does, which would set and unset a timeout for each of a reply's three frames
            stream.may_wait = False
            try:
                frame = transport.read_frame()
            finally:
                stream.may_wait = True
            connection.on_inbound_frame(frame)
