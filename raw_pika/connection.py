"""What pika must be told to connect, and how a refusal is told from an outage. Used by client and server."""

import re
from collections.abc import Iterator
from typing import Any

import pika
from pika.exceptions import (
    AuthenticationError,
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from contract.refusals import is_refusal, is_tls_refusal
from contract.wire import readable_properties

CONNECT_TIMEOUT = 5  # seconds for one broker, TCP to AMQP; then the next is tried
RECONNECT_DELAY = 0.25  # seconds, doubled at each attempt
MAX_RECONNECT_DELAY = 2.0


def parameters(url: str, heartbeat: int) -> pika.URLParameters:
    """Return pika's parameters for one broker. `amqps://` gets Python's default context, which verifies (C20)."""
    result = pika.URLParameters(url)
    result.heartbeat = heartbeat
    result.socket_timeout = CONNECT_TIMEOUT
    result.stack_timeout = CONNECT_TIMEOUT
    return result


class Properties(pika.BasicProperties):
    """pika's own, which raises out of its event loop at some headers: a date after 9999, a deep nesting."""

    def decode(self, encoded: bytes, offset: int = 0) -> "Properties":
        """Read what AMQP encoded, or what of it can be read."""
        try:
            super().decode(encoded, offset)
        except Exception:
            super().decode(readable_properties(encoded[offset:]))
        return self


pika.spec.props[pika.BasicProperties.INDEX] = (
    Properties  # where pika looks up what to read them with
)


def abort(connection: Any) -> None:
    """Drop a connection whose broker is silent or unreadable: pika has no public way."""
    if connection is not None and not connection.is_closed:
        connection._terminate_stream(ConnectionAbortedError("given up"))


def refusal(error: BaseException, in_use: bool = False) -> BaseException | None:
    """Return what in an error says that the broker, or we, refuse: trying again would not help."""
    for cause in causes(error):
        if is_tls_refusal(cause) or isinstance(cause, AuthenticationError):
            return cause
        if isinstance(cause, ProbableAuthenticationError | ProbableAccessDeniedError):
            # pika's guess, also made when the broker just goes down; the code is in the text only
            return cause if re.search(r"\((403|530)\)", repr(cause)) else None
        if isinstance(cause, ConnectionClosedByBroker | ChannelClosedByBroker):
            return cause if is_refusal(cause.reply_code, in_use) else None
    return None


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


def describe(error: BaseException) -> str:
    """Return the last and innermost cause in one line: what a reader of a log can act on."""
    return repr(list(causes(error))[-1])
