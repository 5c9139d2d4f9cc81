"""A pika connection with one channel: how it is opened, read, and closed. Used by client and server.

pika's `SelectConnection` never blocks: what it is asked for, it does while its event loop runs, and then calls
back. Here the loop runs until the callback has come, so that connecting reads from top to bottom.
(Callbacks are `SelectConnection`'s. `BlockingConnection` has none; a call takes as long with it, but with 100 in
flight there are 0.6 of the calls a second.)
"""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import TypeVar

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.channel import Channel
from pika.exceptions import (
    AuthenticationError,
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from raw_pika.hardening import EventLoop, TolerantConnection
from rpc_core.forks import close_in_child
from rpc_core.limits import CLOSE_TIMEOUT, CONNECT_TIMEOUT
from rpc_core.refusals import Failure
from rpc_core.waking import Waker

T = TypeVar("T")


class Connection:
    """One connection, until it is closed or lost. One thread at a time uses it; others may only `wake` it."""

    def __init__(self, url: str, heartbeat: int, name: str) -> None:
        self._loop = EventLoop()
        self._lost: BaseException | None = None
        self._waker = Waker(partial(self._loop.add_callback_threadsafe, lambda: None))
        self._connection: TolerantConnection | None = None
        close_in_child(self._loop)
        try:
            self._connection = self._connect(url, heartbeat, name)
            self._connection.add_on_close_callback(self._on_closed)
            opened: list[Channel] = []
            self._connection.channel(on_open_callback=opened.append)
            self.channel = self.wait_for(opened)
            self.channel.add_on_close_callback(self._on_closed)
            # somebody deleted the queue that is consumed: begin again, with a new connection
            self.channel.add_on_cancel_callback(lambda _: self.channel.close())
        except BaseException:
            self.drop()
            raise

    def _connect(self, url: str, heartbeat: int, name: str) -> TolerantConnection:
        connected: list[TolerantConnection | AMQPConnectorException] = []
        TolerantConnection.create_connection(
            [parameters(url, heartbeat, name)],
            on_done=connected.append,
            custom_ioloop=self._loop,
        )
        connection = self.wait_for(connected, 2 * CONNECT_TIMEOUT)  # pika keeps to its own limits
        if isinstance(connection, AMQPConnectorException):
            raise connection
        return connection

    def wait_for(self, answers: list[T], timeout: float = CONNECT_TIMEOUT) -> T:
        """Run the event loop until pika has called back, with `answers.append` as its callback; return with what.

        Raises:
            TimeoutError: nothing came in `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        timer = self._loop.call_later(timeout, lambda: None)  # which ends the wait in `read`
        while not answers:
            self.read()
            if time.monotonic() > deadline:
                raise TimeoutError("the broker did not answer in time")
        self._loop.remove_timeout(timer)
        return answers[0]

    def read(self, *, wait: bool = True) -> None:
        """Send what was published; wait until something arrives, and handle it: run the event loop once."""
        self._loop.is_waiting = False  # Ctrl-C may have left it so
        if self._connection is not None:
            self._connection.send_all()
        self._loop.run_once(wait=wait)
        self._waker.awake()
        if self._lost is not None:
            raise self._lost

    @property
    def is_waiting(self) -> bool:
        """Whether `read` only waits: an exception there leaves the connection whole."""
        return self._loop.is_waiting

    def wake(self) -> None:
        """End the wait in `read`, or the next one. From any thread."""
        self._waker.wake()

    def _on_closed(self, _which: object, error: BaseException) -> None:
        self._lost = self._lost or error  # the first says why

    def close(self) -> None:
        """Tell the broker, and wait for its answer for `CLOSE_TIMEOUT` at most."""
        connection = self._connection
        if connection is not None and connection.is_open:
            connection.close()
            deadline = time.monotonic() + CLOSE_TIMEOUT
            self._loop.call_later(CLOSE_TIMEOUT, lambda: None)
            while not connection.is_closed and time.monotonic() < deadline:
                connection.send_all()
                self._loop.run_once()
        self.drop()

    def drop(self) -> None:
        """Free everything without a word to the broker, which may be silent."""
        with suppress(Exception):
            connection = self._connection
            if connection is not None and not connection.is_closed:
                # there is no public way
                connection._terminate_stream(ConnectionAbortedError("given up"))  # type: ignore[attr-defined]
            for _ in range(3):  # pika closes the socket in a callback, in a callback
                self._loop.process_timeouts()
        self._loop.close()

    @staticmethod
    def failure(error: BaseException) -> Failure:
        """Return what an exception of pika's comes down to: it wraps the cause several times."""
        found = list(causes(error))
        for cause in found:
            if isinstance(cause, ConnectionClosedByBroker | ChannelClosedByBroker):
                return Failure(cause, cause.reply_code)
            if isinstance(cause, ProbableAuthenticationError | ProbableAccessDeniedError):
                # pika's guess, also made when the broker just goes down; the code is in the text only
                code = re.search(r"\((403|530)\)", repr(cause))
                return Failure(cause, int(code[1]) if code else None)
            if isinstance(cause, AuthenticationError):
                return Failure(cause, 403)
        return Failure(found[-1])


def parameters(url: str, heartbeat: int, name: str) -> pika.URLParameters:
    """Return pika's parameters for one broker. `amqps://` gets Python's default context, which verifies (C20)."""
    result = pika.URLParameters(url)
    result.heartbeat = heartbeat
    result.socket_timeout = CONNECT_TIMEOUT
    result.stack_timeout = CONNECT_TIMEOUT
    result.client_properties = {"connection_name": name}
    return result


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what pika wrapped in it: attempts, their phases, a lost stream's reason."""
    yield error
    for inner in (
        *getattr(error, "exceptions", ()),
        getattr(error, "exception", None),
        *error.args,
    ):
        if isinstance(inner, BaseException):
            yield from causes(inner)
