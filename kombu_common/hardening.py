"""C4, C8, C9, C13, C20: what kombu and py-amqp must be told, so that nobody hostile or silent does harm.

Who only reads how kombu or Celery is used can skip this. Each piece says which clause it keeps, and what happens
without it. None of them changes kombu or py-amqp for others in the process.
"""

import socket
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import amqp
import kombu
from amqp.method_framing import frame_handler
from kombu.transport import pyamqp

from rpc_core.limits import CONNECT_TIMEOUT, IO_TIMEOUT, SEND_TOGETHER
from rpc_core.properties import strip_undecodable_properties

CONTENT_HEADER = 2  # the type of the frame that carries a message's properties

Frame = tuple[int, int, bytes]  # its type, channel and payload


def transport_options(name: str) -> dict[str, Any]:
    """Return kombu's `transport_options`: what py-amqp's connection is built with."""
    return {
        "client_properties": {"connection_name": name},  # for the broker's management page
        "read_timeout": CONNECT_TIMEOUT,  # C8: for an answer while setting up; without it, for ever
        # C4: ends a stuck write. On Linux py-amqp's TCP_USER_TIMEOUT of 1 s does so first; elsewhere nothing would
        "write_timeout": IO_TIMEOUT,
        "frame_handler": tolerant_frame_handler,
    }


def tls_options(url: str) -> dict[str, Any] | bool:
    """C20: verify a broker as Python does by default; with `ssl=True` kombu does not compare its host name."""
    if not url.startswith("amqps:"):
        return False
    return {
        "context": {"check_hostname": True},
        "server_hostname": urlsplit(url).hostname,
        # C8: py-amqp does it, within its connect timeout; else the socket does, and waits for ever
        "do_handshake_on_connect": False,
    }


def harden(connection: amqp.Connection) -> "Stream":
    """Apply what can be applied only to a connection that is open; return what it receives and sends with."""
    # If `connection.blocked` is negotiated, py-amqp reads from the socket before every publish: 0.01 ms a call.
    connection.client_properties["capabilities"].pop("connection.blocked", None)
    return Stream(connection)


class Stream:
    """C4: how py-amqp receives: what there is, or a TimeoutError, at which it keeps half a frame for later.

    By default it busy-loops until the rest has come. And it asks for the exact size of each part of a frame, seven
    times for a reply; here it gets what has arrived, and keeps the rest, which it can.

    And how it sends: at once what was published, before it waits. By default it sends each message by itself:
    with 100 in flight there are half as many calls a second. There is no public way to either.
    """

    def __init__(self, connection: amqp.Connection) -> None:
        transport = connection.transport
        self._socket: socket.socket = transport.sock
        self._receive: Callable[[int], bytes] = transport._quick_recv
        self._send: Callable[[bytearray], None] = transport._write
        self._unsent = bytearray()  # which grows in place: a large message is many frames
        self.may_wait = True  # for an answer while setting up, `read_timeout` seconds
        transport._quick_recv, transport._write = self._read, self._write

    def send_all(self) -> None:
        """Send what there is to be sent."""
        if self._unsent:
            data, self._unsent = self._unsent, bytearray()
            try:
                self._send(data)
            # by `write_timeout`, perhaps in mid-frame: no "nothing to read", as within `_read` it would be
            except (BlockingIOError, TimeoutError) as error:
                raise ConnectionAbortedError(f"nobody reads: {error}") from error

    def _write(self, data: bytes | memoryview) -> None:
        self._unsent += data
        if len(self._unsent) > SEND_TOGETHER:
            self.send_all()

    def _read(self, size: int) -> bytes:
        """Return some bytes; not more than a few replies, for py-amqp copies what it keeps."""
        self.send_all()
        if not self.may_wait:
            self._socket.settimeout(0)
        try:
            return self._receive(max(size, 4096))
        except (BlockingIOError, ssl.SSLWantReadError):
            raise TimeoutError from None
        finally:
            if not self.may_wait:
                self._socket.settimeout(None)


def tolerant_frame_handler(
    connection: amqp.Connection, callback: Callable[..., None]
) -> Callable[[Frame], bool]:
    """C9, C13: py-amqp's frame handler, without the properties that py-amqp cannot decode.

    By itself it raises out of the event loop at text that is not UTF-8 or headers nested too deep: the message
    would stay in the queue, and cost this server its connection, and the next one, and the next. A correlation id
    that is not UTF-8 becomes bytes, as pika has it, and can be given back.
    """
    binary_ids: dict[int, bytes] = {}  # by channel, of the message that is being received

    def on_whole(channel: int, method: object, arguments: bytes, message: amqp.Message) -> None:
        if channel in binary_ids:
            message.properties["correlation_id"] = binary_ids.pop(channel)
        callback(channel, method, arguments, message)

    handle: Callable[[Frame], bool] = frame_handler(connection, on_whole)

    def on_frame(frame: Frame) -> bool:
        try:
            return handle(frame)
        except Exception:
            frame_type, channel, payload = frame
            if frame_type != CONTENT_HEADER:
                raise
            # the first 12 bytes are class, weight and body size; the properties follow
            head, properties = bytes(payload[:12]), bytes(payload[12:])
            kept, binary_id = strip_undecodable_properties(properties)
            if binary_id is not None:
                binary_ids[channel] = binary_id
            return handle((frame_type, channel, head + kept))

    return on_frame


class PlainMessage(pyamqp.Message):
    """C9, C13: a message with its body as it came; kombu inflates one whose header says so, to any size."""

    channel: pyamqp.Channel

    def __init__(
        self, msg: amqp.Message, channel: pyamqp.Channel | None = None, **options: Any
    ) -> None:
        headers: dict[str, Any] = msg.properties.get("application_headers") or {}
        self.compression = headers.pop("compression", None)
        super().__init__(msg, channel, **options)


def keep_bodies_as_they_came(channel: pyamqp.Channel) -> None:
    """C9, C13: bodies stay bytes, whatever encoding or compression a message claims."""
    channel.auto_decode = False
    channel.Message = PlainMessage


def body_of(message: kombu.Message) -> bytes:
    """Return a body as it came; py-amqp makes an empty one a str."""
    body: object = message.body
    return bytes(body) if isinstance(body, bytes | bytearray | memoryview) else b""
