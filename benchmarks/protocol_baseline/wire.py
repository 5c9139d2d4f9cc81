"""Just enough AMQP 0-9-1: a login, frames that pamqp encodes once, and a reader that skips what it knows."""

import socket
import struct
from functools import cache, lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from pamqp import base, body, commands, frame, header

from contract.wire import CONTENT_TYPE
from rpc_core.addresses import broker_urls

# of a fixed length, so that one is replaced without encoding again
ID = "00000000"
CONSUMER_TAG = "c"
EXPIRATION = "10000"  # milliseconds

# of a frame: type, channel, size of what follows; an end octet comes last
HEADER = struct.Struct(">BHL")
NUMBER = struct.Struct(">Q")
# in basic.deliver, after two method numbers and the consumer tag
TAG_AT = 4 + 1 + len(CONSUMER_TAG)
# in a content header, after fixed fields and the content type
ID_AT = 14 + 1 + len(CONTENT_TYPE) + 1
REPLY_TO_AT = ID_AT + len(ID) + 1


class Message(NamedTuple):
    """One delivery: only the fields that an answer needs."""

    tag: int
    correlation_id: bytes
    properties: bytes
    body: bytes

    @property
    def reply_to(self) -> bytes:
        """The callback queue. A reply has none."""
        length = self.properties[REPLY_TO_AT - 1]
        return self.properties[REPLY_TO_AT : REPLY_TO_AT + length]


class Connection:
    """A blocking socket with one channel open. No heartbeats, no recovery, one thread."""

    def __init__(self, url: str | None, timeout: float | None = None) -> None:
        """Connect and log in; from then on wait for data `timeout` seconds, or without end."""
        parts = urlsplit(broker_urls(url)[0])
        user, password = unquote(parts.username or "guest"), unquote(parts.password or "guest")
        self._socket = socket.create_connection((parts.hostname, parts.port or 5672), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self._at = 0  # how much of the buffer was read
        self.send(b"AMQP\x00\x00\x09\x01")
        self.server_properties: dict[str, Any] = self._read_method().server_properties
        self.ask(commands.Connection.StartOk({}, "PLAIN", f"\0{user}\0{password}", "en_US"), 0)
        self.send(encode(commands.Connection.TuneOk(2047, 131_072, 0), 0))  # 0: no heartbeats
        self.ask(commands.Connection.Open(unquote(parts.path[1:]) or "/"), 0)
        self.ask(commands.Channel.Open())
        self._socket.settimeout(timeout)

    def declare(self, queue: str, queue_type: str) -> None:
        """Declare a request queue as everybody here does."""
        arguments: Any = {"x-queue-type": queue_type}
        self.ask(commands.Queue.Declare(queue=queue, durable=True, arguments=arguments))

    def ask(self, method: base.Frame, channel: int = 1) -> Any:
        """Send a method and return the broker's answer."""
        self.send(encode(method, channel))
        return self._read_method()

    def send(self, data: bytes) -> None:
        """Send frames: any number of them in one system call."""
        self._socket.sendall(data)

    def receive(self) -> list[Message]:
        """Wait for a delivery; return it, and all others that have arrived completely."""
        messages = [self._read_message()]
        while (message := self._read_buffered_message()) is not None:
            messages.append(message)
        return messages

    def close(self) -> None:
        """Close the socket: the broker removes what was exclusive to this connection."""
        self._socket.close()

    def _read_method(self) -> Any:
        payload = self._read_frame()
        size = HEADER.size + len(payload) + 1
        # pamqp decodes whole frames; the channel does not matter to it
        data = HEADER.pack(1, 0, len(payload)) + payload + b"\xce"
        consumed, _, method = frame.unmarshal(data)
        assert consumed == size
        if isinstance(method, commands.Connection.Close | commands.Channel.Close):
            raise ConnectionError(f"{method.reply_code} {method.reply_text}")
        return method

    def _read_message(self) -> Message:
        method, properties = self._read_frame(), self._read_frame()
        text = self._read_frame()  # what is sent here is never empty, and fits into one frame
        (tag,) = NUMBER.unpack_from(method, TAG_AT)
        return Message(tag, properties[ID_AT : ID_AT + len(ID)], properties, text)

    def _read_buffered_message(self) -> Message | None:
        at = self._at
        for _ in range(3):
            if at + HEADER.size > len(self._buffer):
                return None
            at += HEADER.size + HEADER.unpack_from(self._buffer, at)[2] + 1
        return self._read_message() if at <= len(self._buffer) else None

    def _read_frame(self) -> bytes:
        self._need(HEADER.size)
        _, _, size = HEADER.unpack_from(self._buffer, self._at)
        self._need(HEADER.size + size + 1)
        start = self._at + HEADER.size
        self._at = start + size + 1
        return self._buffer[start : start + size]

    def _need(self, size: int) -> None:
        while len(self._buffer) - self._at < size:
            data = self._socket.recv(65_536)
            if not data:
                raise ConnectionError("the broker closed the connection")
            self._buffer = self._buffer[self._at :] + data
            self._at = 0


def encode(method: base.Frame, channel: int = 1) -> bytes:
    """Return a method as a frame."""
    return frame.marshal(method, channel)


@cache
def request(queue: str, reply_to: str, n: int) -> tuple[bytes, bytes]:
    """Return the frames that ask for fib(n), in two parts: the correlation id goes between them."""
    properties = commands.Basic.Properties(
        content_type=CONTENT_TYPE, correlation_id=ID, reply_to=reply_to, expiration=EXPIRATION
    )
    return _publish(queue, properties, str(n).encode())


@lru_cache(maxsize=256)
def reply(reply_to: bytes, text: bytes) -> tuple[bytes, bytes]:
    """Return the frames that answer with this text, in two parts: the correlation id goes between them."""
    properties = commands.Basic.Properties(content_type=CONTENT_TYPE, correlation_id=ID)
    return _publish(reply_to.decode(), properties, text)


def ack(tag: int) -> bytes:
    """Return the frame that acknowledges one delivery."""
    before, after = _ack()
    return before + NUMBER.pack(tag) + after


@cache
def _ack() -> tuple[bytes, bytes]:
    whole = encode(commands.Basic.Ack(0))
    at = HEADER.size + 4  # after two method numbers
    return whole[:at], whole[at + NUMBER.size :]


def _publish(queue: str, properties: commands.Basic.Properties, text: bytes) -> tuple[bytes, bytes]:
    method = encode(commands.Basic.Publish(exchange="", routing_key=queue))
    head = frame.marshal(header.ContentHeader(body_size=len(text), properties=properties), 1)
    at = len(method) + HEADER.size + ID_AT
    whole = method + head + frame.marshal(body.ContentBody(text), 1)
    return whole[:at], whole[at + len(ID) :]
