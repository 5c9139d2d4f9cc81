"""The Celery application of client and server: its settings, and how it connects.

What Celery does here: one object that holds the settings, the protocol and the result backend.
What it leaves to you: its defaults suit background jobs that may wait, and not calls that somebody
waits for; they retry for ever, verify no certificate, and declare more than is used.
"""

import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from amqp.method_framing import frame_handler
from celery import Celery
from celery.loaders.app import AppLoader
from kombu import Queue
from kombu.transport import pyamqp

from contract.refusals import is_refusal, is_tls_refusal
from contract.wire import queue_arguments, readable_properties

TASK = "fibonacci"

CONNECT_TIMEOUT = 5.0  # seconds for one broker, TCP to AMQP; then the next is tried
IO_TIMEOUT = 5.0  # seconds that the broker may take to answer, or a write may be stuck
CLOSE_TIMEOUT = 0.5  # seconds for the broker to agree; a silent one must not hold close() up
RECONNECT_DELAY = 0.25  # seconds, doubled at each attempt
MAX_RECONNECT_DELAY = 2.0

CONTENT_HEADER = 2  # the type of the frame that carries a message's properties


class Loader(AppLoader):
    """Celery's loader, which here reads no `$CELERY_CONFIG_MODULE`: that is another application's."""

    def read_configuration(self, env: str = "") -> dict[str, Any]:
        """Return no settings but ours."""
        return {}


class App(Celery):
    """An application that keeps its settings: `$CELERY_BROKER_URL` and the like would overrule them."""

    backend_cls = "celery_impl.results:RpcBackend"

    def _connection(self, url: str | None, **options: Any) -> Any:
        # what names no broker itself is never connected
        ours = url is not None and url.startswith(("amqp:", "amqps:"))
        return super()._connection(url if ours else "amqp://", **options)  # type: ignore[misc]


def make_app(queue: str, queue_type: str, heartbeat: int) -> Any:
    """Return a Celery application of its own, with one task queue. It connects to nothing."""
    app = App("celery_impl", set_as_current=False, fixups=[], loader=Loader)
    app.conf.update(
        accept_content=["json"],  # C20: neither pickle nor anything else
        result_accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        task_queues=[Queue(queue, durable=True, queue_arguments=queue_arguments(queue_type))],
        task_default_queue=queue,
        task_default_exchange="",  # else an exchange of the queue's name is declared and bound to it
        task_create_missing_queues=False,
        task_default_delivery_mode="transient",  # no request outlives its caller
        task_acks_late=True,  # C11, C14
        result_backend_thread_safe=True,  # one backend, not one for each thread
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


def open_connection(
    app: Any, urls: list[str], heartbeat: int, given_up: Callable[[], bool] = lambda: False
) -> Any:
    """Return a connection to the first of these brokers that answers; no other is tried when `given_up`.

    Its `opened` is that broker's address.

    Raises:
        Exception: the last broker's error, or a refusal at once. They have no type in common.
    """
    error: Exception = OSError("no address to connect to")
    # not kombu's own failover: it would check every broker's certificate for the first host's name
    for url in urls:
        if given_up():
            raise error
        connection = app.connection_for_write(url, heartbeat=heartbeat, ssl=tls_options(url))
        try:
            # connect() would try twice, two seconds apart
            connection.ensure_connection(max_retries=0, reraise_as_library_errors=False)
            # with this capability py-amqp reads before each publish, and handles what it reads there
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
    """A message that stays as small as it came: kombu inflates what a header calls compressed, without a limit."""

    def __init__(self, msg: Any, channel: Any = None, **options: Any) -> None:
        (msg.properties.get("application_headers") or {}).pop("compression", None)
        super().__init__(msg, channel, **options)


def tls_options(url: str) -> Any:
    """Return what verifies a broker as Python does by default (C20). Left alone, kombu does not."""
    if not url.startswith("amqps:"):
        return False
    return {
        "context": {"check_hostname": True},
        "server_hostname": urlsplit(url).hostname,
        "do_handshake_on_connect": False,  # py-amqp does it, and only then within CONNECT_TIMEOUT
    }


def drain(link: Any) -> None:
    """Dispatch everything that has arrived, without waiting; raise if the connection is lost.

    `link` is py-amqp's connection: kombu's connects again by itself, but without the consumers.
    """
    with suppress(TimeoutError):  # before OSError, of which it is a kind
        while True:
            link.drain_events(timeout=0)


def release(connection: Any) -> None:
    """Tell the broker that the connection ends; a silent one holds nobody up."""
    with suppress(Exception):
        connection.connection.sock.settimeout(CLOSE_TIMEOUT)
        connection.connection.close()
    drop(connection)


def drop(connection: Any) -> None:
    """Close the socket without asking the broker, which may not answer."""
    with suppress(Exception):
        connection.collect(socket_timeout=0)


def refusal(error: BaseException, in_use: bool = False) -> bool:
    """Whether an error says that the broker, or we, refuse: trying again would not help."""
    return is_tls_refusal(error) or is_refusal(getattr(error, "reply_code", None), in_use)


def describe(error: BaseException) -> str:
    """Return an error's cause in one line: what a reader of a log can act on."""
    return repr(error.__cause__ or error)


def lenient_frame_handler(connection: Any, callback: Any) -> Any:
    """Return py-amqp's frame handler, which here leaves out properties that py-amqp cannot read.

    By itself it raises out of the event loop at text that is not UTF-8 or headers nested too deep.
    The message would stay in its queue, and end the next worker too.
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
