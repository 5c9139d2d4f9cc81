"""The Celery application of client and server: settings, the `rpc://` backend, connecting.

What Celery does here: one object holds the settings, the task protocol and the result backend.
What it leaves to you: most defaults. They suit background jobs that may wait, not calls that somebody
waits for: queues that nobody declared, retries for ever, one more round trip for every call.
"""

import ssl
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from amqp.exceptions import FrameSyntaxError
from amqp.method_framing import frame_handler
from celery import Celery
from kombu import Queue

TASK = "fibonacci"
CONNECT_TIMEOUT = 5.0  # seconds for one broker, TCP to AMQP; then the next is tried
IO_TIMEOUT = 2.0  # seconds that a write, or a read in mid-frame, may be stuck: then it is lost
CLOSE_TIMEOUT = 1.0  # seconds for the broker to agree; a silent one must not hold close() up
RECONNECT_DELAY = 0.25  # seconds, doubled at each attempt
MAX_RECONNECT_DELAY = 2.0

# access-refused, precondition-failed (queue declared otherwise), not-allowed (no such virtual host)
REFUSALS = (403, 406, 530)

CONTENT_HEADER = 2  # a frame's type


def make_app(queue: str, queue_type: str, heartbeat: int) -> Any:
    """Return a Celery application that knows one task queue, and leaves the current application alone."""
    app = Celery("celery_impl", set_as_current=False, fixups=[])
    app.conf.update(
        # C20: JSON only
        accept_content=["json"],
        result_accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        # the default exchange: otherwise an exchange of the queue's name is declared, and bound
        task_queues=[Queue(queue, durable=True, queue_arguments={"x-queue-type": queue_type})],
        task_default_queue=queue,
        task_default_exchange="",
        task_create_missing_queues=False,
        task_default_delivery_mode="transient",  # a call does not outlive its caller
        task_acks_late=True,  # C14
        result_backend="celery_impl.results:RpcBackend",
        result_backend_thread_safe=True,  # one backend for all threads, and not one for each
        broker_heartbeat=heartbeat,
        broker_connection_timeout=CONNECT_TIMEOUT,
        broker_transport_options={
            "read_timeout": IO_TIMEOUT,
            "write_timeout": IO_TIMEOUT,
            "frame_handler": lenient_frame_handler,
        },
        broker_channel_error_retry=True,
        worker_enable_remote_control=False,
        worker_enable_prefetch_count_reduction=False,
    )
    return app


def open_connection(app: Any, urls: list[str], heartbeat: int) -> Any:
    """Return a connection to the first of these brokers that answers.

    Raises:
        Exception: the last broker's error; a refusal at once. What a broker raises is not all of one type.
    """
    error: Exception = OSError("no address to connect to")
    for (
        url
    ) in urls:  # not kombu's own failover: it would check every certificate for the first host
        connection = app.connection_for_write(url, heartbeat=heartbeat, ssl=tls_options(url))
        try:
            # connect() would try twice, two seconds apart
            connection.ensure_connection(max_retries=0, reraise_as_library_errors=False)
            # with this capability py-amqp reads before it publishes, and handles what it finds there
            connection.connection.client_properties["capabilities"].pop("connection.blocked", None)
            return connection
        except Exception as failed:
            drop(connection)
            error = failed
            if refusal(error):
                break
    raise error


def tls_options(url: str) -> Any:
    """Return what verifies a broker as Python does by default (C20): alone, kombu verifies nothing."""
    if not url.startswith("amqps:"):
        return False
    return {
        "context": {"check_hostname": True},
        "server_hostname": urlsplit(url).hostname,
        "do_handshake_on_connect": False,  # py-amqp does it then, within CONNECT_TIMEOUT
    }


def drain(link: Any) -> None:
    """Dispatch everything that has arrived, without waiting for more; raise if the connection is lost.

    `link` is py-amqp's connection: kombu's would connect again when it is lost, without the consumers.
    """
    with suppress(TimeoutError):  # before OSError, of which it is a kind
        while True:
            link.drain_events(timeout=0)


def hang_up(link: Any) -> None:
    """Tell the broker that a connection ends. A silent one holds nobody up."""
    with suppress(Exception):
        link.sock.settimeout(CLOSE_TIMEOUT)
        link.close()


def drop(connection: Any) -> None:
    """Close the socket without asking the broker, which may not answer."""
    with suppress(Exception):
        connection.collect(socket_timeout=0)


def refusal(error: BaseException) -> bool:
    """Whether an error says that the broker, or we, refuse: trying again would not help."""
    if isinstance(error, ssl.SSLError):  # but not the end of a connection, which may be an outage
        return not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError)
    return getattr(error, "reply_code", None) in REFUSALS


def describe(error: BaseException) -> str:
    """Return an error's cause in one line: what a reader of a log can act on."""
    return repr(error.__cause__ or error)


def lenient_frame_handler(connection: Any, callback: Any) -> Any:
    """Return py-amqp's frame handler, with unreadable properties read as none.

    py-amqp raises out of its event loop when a property is not UTF-8: the message would stay in the
    queue and kill the next worker.
    """
    handle = frame_handler(connection, callback)

    def on_frame(frame: tuple[int, int, Any]) -> Any:
        try:
            return handle(frame)
        except (ValueError, OverflowError, FrameSyntaxError):
            frame_type, channel, payload = frame
            if frame_type != CONTENT_HEADER:
                raise
            # its first 12 bytes are class, weight and body size; then no flags, so no properties
            return handle((frame_type, channel, bytes(payload[:12]) + b"\0\0"))

    return on_frame
