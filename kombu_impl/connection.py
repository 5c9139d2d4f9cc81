"""What kombu must be told to connect, and how a refusal is told from an outage. Used by client and server."""

import socket
import ssl
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from kombu import Connection

CONNECT_TIMEOUT = 5.0  # seconds for one broker, TCP to AMQP; then the next is tried
IO_TIMEOUT = 2.0  # seconds that a read in mid-frame or a write may be stuck before the connection counts as lost
CLOSE_TIMEOUT = 1.0  # seconds for the broker to agree; a silent one must not hold close() up
RECONNECT_DELAY = 0.25  # seconds, doubled at each attempt
MAX_RECONNECT_DELAY = 2.0

# access-refused, precondition-failed (queue declared otherwise), not-allowed (no such virtual host)
REFUSALS = (403, 406, 530)


def open_connection(urls: list[str], heartbeat: int) -> Any:
    """Return a connection to the first of these brokers that answers.

    Raises:
        Exception: the last broker's error; a refusal at once. What a broker raises is not all of one type.
    """
    error: Exception = OSError("no address to connect to")
    # not kombu's own failover, which would check every certificate against the first host name
    for url in urls:
        connection = Connection(
            url,
            heartbeat=heartbeat,
            connect_timeout=CONNECT_TIMEOUT,
            ssl=tls_options(url),
            transport_options={"read_timeout": IO_TIMEOUT, "write_timeout": IO_TIMEOUT},
        )
        try:
            # connect() would try twice, two seconds apart
            connection.ensure_connection(max_retries=0, reraise_as_library_errors=False)
            # With this capability py-amqp reads before each publish, whichever thread that is in, and would
            # run the consumer's handler there, nested in whatever is being done.
            connection.connection.client_properties["capabilities"].pop("connection.blocked", None)
            return connection
        except Exception as failed:
            drop(connection)
            error = failed
            if refusal(error):
                break
    raise error


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
        link.sock.shutdown(socket.SHUT_RDWR)


def refusal(error: BaseException) -> bool:
    """Whether an error says that the broker, or we, refuse: trying again would not help."""
    return isinstance(error, ssl.SSLError) or getattr(error, "reply_code", None) in REFUSALS
