"""Show calls as they pass over the wire: `python -m harness.wire_dump PACKAGE N ...`.

Client and server are run behind one proxy each, which keep what they forward; the frames are read afterwards.
"""

import argparse
import re
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
from harness.proxy import Proxy, Way
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


@dataclass
class Call:
    """What passed since a moment."""

    title: str
    begun: float = field(default_factory=time.monotonic)
    passed: list[tuple[str, Message]] = field(default_factory=list)


class Recorder:
    """Keeps what a proxy forwards: for each connection, what went to and what came from the broker."""

    def __init__(self) -> None:
        self.streams: dict[tuple[object, Way], list[Chunk]] = {}

    def __call__(self, connection: object, way: Way, data: bytes) -> bytes:
        """Note what was read, and have it forwarded as it is."""
        self.streams.setdefault((connection, way), []).append((time.monotonic(), data))
        return data


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
                message.properties = {
                    "type" if name == "message_type" else name: value
                    for name, value in content.properties
                    if value not in (None, "", {})
                }
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


def record(package: str, numbers: list[int], url: str) -> list[Call]:
    """Make calls, one after the other; return what passed in each, in order."""
    queue = f"wire-{uuid.uuid4().hex[:8]}"
    calls = [Call("setting up")]
    recorders = {"client": Recorder(), "server": Recorder()}
    with Proxy.for_url(url) as at_client, Proxy.for_url(url) as at_server:
        at_client.filter, at_server.filter = recorders.values()
        with ServerProcess(package, at_server.url, queue=queue) as server:
            client_class = import_module(f"{package}.rpc_client").FibonacciRpcClient
            client: Any = None
            for n in numbers:
                calls.append(Call(f"call({n})"))
                # it connects in the background: all of that belongs to the first call
                client = client or client_class(at_client.url, queue=queue)
                try:
                    calls[-1].title += f" returned {client.call(n)}"
                except Exception as error:
                    calls[-1].title += f" raised {type(error).__name__}: {error}"
                time.sleep(SETTLE)
            calls.append(Call("ending"))
            client.close()
            server.terminate()
    for who, recorder in recorders.items():
        for (_, way), chunks in recorder.streams.items():
            names = f"{who} -> broker" if way == "to_broker" else f"broker -> {who}"
            for message in messages(chunks):
                call = [each for each in calls if each.begun <= message.at][-1]
                call.passed.append((names, message))
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        connection.channel().queue_delete(queue)
    for call in calls:
        call.passed.sort(key=place)
    return calls


def place(passed: tuple[str, Message]) -> tuple[int, float]:
    """Return a message's place: the server's acknowledgement may pass before or after the reply's delivery."""
    names, message = passed
    last = names == "broker -> client" and isinstance(message.method, commands.Basic.Deliver)
    return int(last), message.at


def describe(call: Call, *, hexadecimal: bool) -> Iterator[str]:
    """Yield the lines that show the messages of a call."""
    content: tuple[dict[str, Any], bytes] = {}, b""
    for names, message in call.passed:
        if not isinstance(
            message.method, commands.Basic.Publish | commands.Basic.Deliver | commands.Basic.Ack
        ):  # the client connects during its first call
            continue
        yield f"{names}  {method_name(message.method)}  ({len(message.raw)} bytes)"
        yield from (f"    {name}: {value!r}" for name, value in message.method if value)
        delivered = isinstance(message.method, commands.Basic.Deliver)
        if delivered and (message.properties, message.body) == content:
            yield "    the same properties and body"
        elif message.body:
            content = message.properties, message.body
            yield from describe_content(message)
        if hexadecimal:
            yield from dump(message.raw)


def describe_content(message: Message) -> Iterator[str]:
    """Yield the lines that show a message's properties and body."""
    for name, value in message.properties.items():
        if isinstance(value, dict):
            yield f"    {name}:"
            yield from (f"        {key}: {inner!r}" for key, inner in value.items())
        else:
            yield f"    {name}: {value!r}"
    yield f"    body: {message.body.decode(errors='replace')}"


def method_name(method: base.Frame) -> str:
    """Return a method's name as the specification writes it: `connection.start-ok`."""
    class_, _, name = method.name.partition(".")
    return f"{class_.lower()}.{re.sub('(?<=[a-z])(?=[A-Z])', '-', name).lower()}"


def dump(raw: bytes) -> Iterator[str]:
    """Yield lines of hexadecimal digits and characters."""
    for start in range(0, len(raw), BYTES_PER_LINE):
        part = raw[start : start + BYTES_PER_LINE]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        yield f"    {part.hex(' '):{3 * BYTES_PER_LINE}} {text}"


def main(argv: list[str] | None = None) -> int:
    """Read the command line, make the call, print what passed."""
    parser = argparse.ArgumentParser(prog="python -m harness.wire_dump", description=__doc__)
    parser.add_argument(
        "package", help="An implementation, such as raw_pika or benchmarks.protocol_baseline."
    )
    parser.add_argument("n", type=int, nargs="*", help="What to ask for. (default: 30)")
    parser.add_argument("--hex", action="store_true", help="Show the bytes as well.")
    parser.add_argument(
        "--setup", action="store_true", help="Show what passes before the calls and after them."
    )
    arguments = parser.parse_args(argv)
    try:
        with broker() as node:
            calls = record(arguments.package, arguments.n or [30], node.url)
    except BrokerNotInstalled as error:
        print(error, file=sys.stderr)
        return 1
    for call in calls:
        if call in (calls[0], calls[-1]) and not arguments.setup:
            continue
        print(call.title)
        if arguments.setup:
            print(
                *(f"{names}  {method_name(each.method)}" for names, each in call.passed), sep="\n"
            )
        else:
            print(*describe(call, hexadecimal=arguments.hex), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
