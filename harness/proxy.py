"""A TCP proxy in front of a broker, to be a bad network on demand."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from harness.broker import free_port

T = TypeVar("T")
Way = Literal["to_broker", "to_client"]
Direction = Literal["both", "to_broker", "to_client"]

# Called, in the proxy's thread, with something that identifies the connection, the way and what was
# read; it returns what of it to deliver. See `harness.frames`.
Filter = Callable[[object, Way, bytes], bytes]

CHUNK = 65_536
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, for no time: close() then sends RST


@dataclass(eq=False)
class _Link:
    """A client's connection and its continuation to the broker."""

    task: asyncio.Task[Any]
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    lost_bytes: bool = False


class Proxy:
    """Forward a free port of 127.0.0.1 to a broker, until told to misbehave; a context manager.

    The forwarding runs in a thread of its own. What a method asks for is in force when it
    returns, for the open connections and for new ones, until `heal`.
    """

    def __init__(self, host: str, port: int, *, url: str | None = None) -> None:
        """Prepare a proxy to `host:port`, whose address as a URL is `url` (see `for_url`)."""
        self._target = (host, port)
        self.port = free_port()
        self.url = _with_port(url or f"amqp://guest:guest@{host}:{port}/%2F", self.port)
        self._delay: dict[Way, float] = {"to_broker": 0.0, "to_client": 0.0}
        self._swallow: dict[Way, bool] = {"to_broker": False, "to_client": False}
        self.filter: Filter | None = None
        self._links: set[_Link] = set()
        self._changed = threading.Condition()  # guards _links, for the readers in other threads
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop
        self._thread: threading.Thread

    @classmethod
    def for_url(cls, url: str) -> Self:
        """Prepare a proxy to the broker at `url`; its own `url` differs in the address only."""
        parts = urlsplit(url)
        port = parts.port or (5671 if parts.scheme == "amqps" else 5672)
        return cls(parts.hostname or "localhost", port, url=url)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        # looks up the broker's name; its one thread is there from the beginning, as tests count theirs
        names = ThreadPoolExecutor(1, "proxy-names")
        names.submit(int).result()
        self._loop.set_default_executor(names)
        self._run(self._listen())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._run(self._end())
        self._run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        with self._changed:
            return len(self._links)

    def wait_for_connections(self, count: int, timeout: float = 10.0) -> None:
        """Wait until at least `count` clients are connected or, for 0, until none is.

        Raises TimeoutError after `timeout` seconds.
        """

        def reached() -> bool:
            return len(self._links) >= count if count else not self._links

        with self._changed:
            if not self._changed.wait_for(reached, timeout):
                raise TimeoutError(f"{len(self._links)} connections after {timeout:g} s")

    def delay(self, seconds: float, direction: Direction = "both") -> None:
        """Deliver every byte `seconds` late; the order and the bandwidth stay as they are."""
        self._run(self._set(self._delay, direction, seconds))

    def black_hole(self, direction: Direction = "both") -> None:
        """Swallow what is sent that way, the end of a connection too; nothing is closed.

        New connections are accepted, and as silent.
        """
        self._run(self._set(self._swallow, direction, True))

    def cut(self) -> None:
        """Abort every connection, on both sides, with RST; new ones are accepted."""
        self._run(self._cut())

    def refuse(self) -> None:
        """Abort every connection and refuse new ones."""
        self._run(self._refuse())

    def heal(self) -> None:
        """Forward without delay or loss, and accept connections, again.

        Connections that lost bytes are cut: an AMQP stream with a hole in it is of no use.
        """
        self._run(self._heal())

    def _run(self, action: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(action, self._loop).result(timeout=10)

    async def _set(self, setting: dict[Way, T], direction: Direction, value: T) -> None:
        ways: list[Way] = ["to_broker", "to_client"] if direction == "both" else [direction]
        setting.update(dict.fromkeys(ways, value))

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _refuse(self) -> None:
        if self._server is not None:
            for listening in self._server.sockets:
                self._loop.remove_reader(listening.fileno())
            # asyncio leaves open what it has accepted, but not begun to serve when the server is closed
            await asyncio.sleep(0)
            self._server.close()
            self._server = None
        await self._cut()

    async def _cut(self, *, only_lossy: bool = False) -> None:
        tasks = [link.task for link in self._links if link.lost_bytes or not only_lossy]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _end(self) -> None:
        await self._refuse()
        # what was accepted just before is refused when its turn comes
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)

    async def _heal(self) -> None:
        await self._set(self._delay, "both", 0.0)
        await self._set(self._swallow, "both", False)
        await self._cut(only_lossy=True)
        await self._listen()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        link = _Link(task, [writer])
        self._count(link, present=True)
        try:
            await self._forward(link, reader, writer)
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            for end in link.writers:
                sock = end.get_extra_info("socket")
                with suppress(OSError):  # closed already
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                end.transport.abort()
        else:
            for end in link.writers:
                end.close()
        finally:
            self._count(link, present=False)

    async def _forward(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self._server is None:
            raise ConnectionRefusedError  # accepted just before `refuse`
        broker_reader, broker_writer = await asyncio.open_connection(*self._target)
        link.writers.append(broker_writer)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._pump(link, "to_broker", reader, broker_writer))
            both.create_task(self._pump(link, "to_client", broker_reader, writer))

    async def _pump(
        self, link: _Link, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        # Between the two, so that bytes which wait for their time delay nothing behind them.
        pipe: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        async with asyncio.TaskGroup() as both:
            both.create_task(self._receive(link, way, reader, pipe))
            both.create_task(self._deliver(pipe, writer))

    async def _receive(
        self,
        link: _Link,
        way: Way,
        reader: asyncio.StreamReader,
        pipe: asyncio.Queue[tuple[float, bytes]],
    ) -> None:
        while True:
            try:
                data = await reader.read(CHUNK)
            except ConnectionError:
                if not self._swallow[way]:
                    raise
                data = b""
            wanted = self.filter(link, way, data) if self.filter and data else data
            if self._swallow[way] or wanted != data:
                link.lost_bytes = True
            if not self._swallow[way] and (wanted or not data):
                pipe.put_nowait((self._loop.time() + self._delay[way], wanted))
            if not data:
                return

    async def _deliver(
        self, pipe: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        while True:
            due, data = await pipe.get()
            if (early := due - self._loop.time()) > 0:
                await asyncio.sleep(early)
            if not data:
                break
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    def _count(self, link: _Link, *, present: bool) -> None:
        with self._changed:
            (self._links.add if present else self._links.discard)(link)
            self._changed.notify_all()


def _with_port(url: str, port: int) -> str:
    """Return `url` with another port, and with this machine as its host."""
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    # A certificate for "localhost" stays good.
    host = "localhost" if parts.hostname == "localhost" else "127.0.0.1"
    return parts._replace(netloc=f"{user}{at}{host}:{port}").geturl()
