"""Show one call as it passes over the wire: `python -m harness.wire_dump PACKAGE N`.

Client and server are run behind one proxy each, which keep what they forward; the frames are read afterwards.
"""

import argparse
import asyncio
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import pika
from pamqp import base, body, commands, frame, header

from harness.broker import BrokerNotInstalled, broker
from harness.proxy import Proxy, Way, _Link
from harness.server import ServerProcess

SETTLE = 0.3  # seconds: the acknowledgement comes after the reply, which ends the call
BYTES_PER_LINE = 16

Chunk = tuple[float, bytes]


@dataclass
class Message:
    """A method, and for `basic.publish` and `basic.deliver` the content that follows it."""

    at: float
    method: base.Frame
    properties: dict[str, Any] = field(default_factory=dict)
    body: bytes = b""
    raw: bytes = b""
    missing: int = 0  # bytes of the body that are still to come


class RecordingReader:
    """A stream's end that keeps what was read from it, and when."""

    def __init__(self, reader: asyncio.StreamReader, chunks: list[Chunk]) -> None:
        self._reader = reader
        self._chunks = chunks

    async def read(self, size: int) -> bytes:
        """Return what has arrived."""
        data = await self._reader.read(size)
        self._chunks.append((time.monotonic(), data))
        return data


class RecordingProxy(Proxy):
    """A proxy that keeps what it forwards: for each connection, what went to and what came from the broker."""

    def __init__(self, host: str, port: int, *, url: str | None = None) -> None:
        super().__init__(host, port, url=url)
        self.streams: list[tuple[Way, list[Chunk]]] = []

    async def _receive(
        self, link: _Link, way: Way, reader: Any, pipe: "asyncio.Queue[tuple[float, bytes]]"
    ) -> None:
        chunks: list[Chunk] = []
        self.streams.append((way, chunks))
        await super()._receive(link, way, RecordingReader(reader, chunks), pipe)  # type: ignore[arg-type]


def messages(chunks: list[Chunk]) -> Iterator[Message]:
    """Yield the methods of one direction of a connection, each with its content."""
    data, message = b"", None
    for at, chunk in chunks:
        data += chunk
        while data:
            consumed, _, content = frame.unmarshal(data)
            if not consumed:  # the rest of this frame comes later
                break
            raw, data = data[:consumed], data[consumed:]
            if isinstance(content, header.ContentHeader) and message is not None:
                message.properties = {k: v for k, v in content.properties if v not in (None, "")}
                message.missing = content.body_size
            elif isinstance(content, body.ContentBody) and message is not None:
                message.body += content.value
                message.missing -= len(content.value)
            elif isinstance(content, base.Frame):
                message = Message(at, content, missing=-1)
                if not isinstance(content, commands.Basic.Publish | commands.Basic.Deliver):
                    message.missing = 0
            else:  # the protocol header, a heartbeat
                continue
            message.raw += raw
            message.at = at
            if message.missing == 0:
                yield message


def record(package: str, n: int, url: str) -> tuple[str, list[tuple[str, Message]]]:
    """Make one call; return how it ended, and what passed, with who sent it to whom, in order."""
    queue = f"wire-{uuid.uuid4().hex[:8]}"
    found: list[tuple[str, Message]] = []
    with RecordingProxy.for_url(url) as at_client, RecordingProxy.for_url(url) as at_server:
        with ServerProcess(package, at_server.url, queue=queue):
            client = import_module(f"{package}.rpc_client").FibonacciRpcClient(
                at_client.url, queue=queue
            )
            try:
                outcome = f"returned {client.call(n)}"
            except Exception as error:
                outcome = f"raised {type(error).__name__}: {error}"
            time.sleep(SETTLE)
            client.close()
        for who, proxy in ("client", at_client), ("server", at_server):
            for way, chunks in list(proxy.streams):
                names = f"{who} -> broker" if way == "to_broker" else f"broker -> {who}"
                found += [(names, message) for message in messages(chunks)]
    connection = pika.BlockingConnection(pika.URLParameters(url))
    connection.channel().queue_delete(queue)
    connection.close()
    return outcome, sorted(found, key=lambda each: each[1].at)


def describe(names: str, message: Message, *, hexadecimal: bool) -> Iterator[str]:
    """Yield the lines that show one method and its content."""
    fields = ", ".join(f"{name} {value!r}" for name, value in message.method if value)
    yield f"{names}  {message.method.name}  ({len(message.raw)} bytes)"
    if fields:
        yield f"    {fields}"
    for name, value in message.properties.items():
        if isinstance(value, dict):
            yield f"    {name}:"
            yield from (f"        {key}: {inner!r}" for key, inner in value.items())
        else:
            yield f"    {name}: {value!r}"
    if message.body:
        yield f"    body: {message.body.decode(errors='replace')}"
    if hexadecimal:
        yield from dump(message.raw)


def dump(raw: bytes) -> Iterator[str]:
    """Yield lines of hexadecimal digits and characters."""
    for start in range(0, len(raw), BYTES_PER_LINE):
        part = raw[start : start + BYTES_PER_LINE]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        yield f"    {part.hex(' '):{3 * BYTES_PER_LINE}} {text}"


def main(argv: list[str] | None = None) -> int:
    """Read the command line, make the call, print what passed."""
    parser = argparse.ArgumentParser(prog="python -m harness.wire_dump", description=__doc__)
    parser.add_argument("package", help="An implementation, such as raw_pika or benchmarks.floor.")
    parser.add_argument("n", type=int, nargs="?", default=30, help="What to ask for. (default: 30)")
    parser.add_argument("--hex", action="store_true", help="Show the bytes as well.")
    parser.add_argument(
        "--setup", action="store_true", help="Show only what passes before the call and after it."
    )
    arguments = parser.parse_args(argv)
    try:
        with broker() as node:
            outcome, found = record(arguments.package, arguments.n, node.url)
    except BrokerNotInstalled as error:
        print(error, file=sys.stderr)
        return 1
    content = commands.Basic.Publish | commands.Basic.Deliver | commands.Basic.Ack
    for names, message in found:
        is_call = isinstance(message.method, content)
        if arguments.setup and not is_call:
            print(f"{names}  {message.method.name}")
        elif is_call and not arguments.setup:
            print("\n".join(describe(names, message, hexadecimal=arguments.hex)))
    print(f"the call {outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
