"""What kombu must be told to connect, and how a refusal is told from an outage. Used by client and server."""

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from amqp.method_framing import frame_handler
from kombu import Connection
from kombu.transport import pyamqp

from contract.refusals import is_refusal, is_tls_refusal
from contract.wire import readable_properties

CONNECT_TIMEOUT = 5.0  # seconds for one broker, TCP to AMQP; then the next is tried
IO_TIMEOUT = 2.0  # seconds that a read in mid-frame or a write may be stuck before the connection counts as lost
CLOSE_TIMEOUT = 1.0  # seconds for the broker to agree; a silent one must not hold close() up
RECONNECT_DELAY = 0.25  # seconds, doubled at each attempt
MAX_RECONNECT_DELAY = 2.0

CONTENT_HEADER = 2  # a frame's type


def open_connection(
    urls: list[str], heartbeat: int, given_up: Callable[[], bool] = lambda: False
) -> Any:
    """Return a connection to the first of these brokers that answers; no other is tried when `given_up`.

    Its `opened` is that broker's address.

    Raises:
        Exception: the last broker's error; a refusal at once. What a broker raises is not all of one type.
    """
    error: Exception = OSError("no address to connect to")
    # not kombu's own failover, which would check every certificate against the first host name
    for url in urls:
        if given_up():
            raise error
        connection: Any = Connection(
            url,
            heartbeat=heartbeat,
            connect_timeout=CONNECT_TIMEOUT,
            ssl=tls_options(url),
            transport_options={
                "read_timeout": IO_TIMEOUT,
                "write_timeout": IO_TIMEOUT,
                "frame_handler": lenient_frame_handler,
            },
        )
        try:
            # connect() would try twice, two seconds apart
            connection.ensure_connection(max_retries=0, reraise_as_library_errors=False)
            # With this capability py-amqp reads before each publish, whichever thread that is in, and would
            # run the consumer's handler there, nested in whatever is being done.
            connection.connection.client_properties["capabilities"].pop("connection.blocked", None)
            let_reads_time_out(connection.connection.transport)
            connection.opened = url
            return connection
        except Exception as failed:
            drop(connection)
            error = failed
            if refusal(error):
                break
    raise error


def lenient_frame_handler(connection: Any, callback: Any) -> Any:
    """Return py-amqp's frame handler, which here leaves out properties that py-amqp cannot read.

    By itself it raises out of the event loop at text that is not UTF-8 or headers nested too deep: the message
    would stay in the queue, and cost this server its connection, and the next one, and the next.
    """
    handle = frame_handler(connection, callback)

    def on_frame(frame: tuple[int, int, Any]) -> Any:
        try:
            return handle(frame)
        except Exception:
            frame_type, channel, payload = frame
            if frame_type != CONTENT_HEADER:
                raise
            # the first 12 bytes are class, weight and body size; the properties follow
            head, properties = bytes(payload[:12]), bytes(payload[12:])
            return handle((frame_type, channel, head + readable_properties(properties)))

    return on_frame


def let_reads_time_out(transport: Any) -> None:
    """Have py-amqp keep half a frame for later; by itself it asks for the rest again and again, without end.

    That would hold the lock, and a caller past its deadline (C4). There is no public way.
    """
    receive = transport._quick_recv

    def receive_or_time_out(size: int) -> Any:
        try:
            return receive(size)
        except (BlockingIOError, ssl.SSLWantReadError):
            raise TimeoutError from None

    transport._quick_recv = receive_or_time_out


class PlainMessage(pyamqp.Message):
    """A message with its body as it came: kombu would inflate one whose header says so, to any size."""

    def __init__(self, msg: Any, channel: Any = None, **options: Any) -> None:
        (msg.properties.get("application_headers") or {}).pop("compression", None)
        super().__init__(msg, channel, **options)


def tls_options(url: str) -> Any:
    """Return what makes kombu verify a broker as Python does (C20): by itself it verifies nothing."""
    if not url.startswith("amqps:"):
        return False
    return {"context": {"check_hostname": True}, "server_hostname": urlsplit(url).hostname}


def drain(link: Any) -> None:
    """Dispatch everything that has arrived, without waiting for more; raise if the connection is lost.

    Until nothing is left: what a layer below has buffered would not wake a selector again.
    `link` is py-amqp's connection, here and below: kombu's `connection.connection`, `drain_events` and
    `heartbeat_check` connect again silently when it is lost, without the consumers.
    """
    with suppress(TimeoutError):  # before OSError, of which it is a kind
        while True:
            link.drain_events(timeout=0)


def release(connection: Any, link: Any) -> None:
    """Tell the broker that the connection ends; a silent one holds nobody up.

    Not kombu's own `release`: when the broker does not answer, it leaves the socket open.
    """
    with suppress(Exception):
        link.sock.settimeout(CLOSE_TIMEOUT)
        link.close()
    drop(connection)


def drop(connection: Any) -> None:
    """Close the socket without asking the broker, which may not answer."""
    with suppress(Exception):
        connection.collect(socket_timeout=0)


def hang_up(link: Any) -> None:
    """End the connection from a thread that is not the one reading it, which then sees an end of file."""
    with suppress(Exception):
        if link.connected:  # else `sock` would connect again
            link.sock.shutdown(socket.SHUT_RDWR)


def refusal(error: BaseException, in_use: bool = False) -> bool:
    """Whether an error says that the broker, or we, refuse: trying again would not help."""
    return is_tls_refusal(error) or is_refusal(getattr(error, "reply_code", None), in_use)
