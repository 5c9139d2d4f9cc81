"""What the clients on asyncio share: an event loop, which runs while the caller waits."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator

from rpc_core.addresses import broker_urls


class AsyncClient(ABC):
    """A client for one thread; a subclass connects, asks and disconnects. A failure is an exception or a hang."""

    def __init__(
        self, url: str | None = None, *, queue: str = "rpc_queue", queue_type: str = "classic"
    ) -> None:
        self._url = broker_urls(url)[0]
        self._queue = queue
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._connect())

    def call(self, n: int) -> int:
        """Return fib(n)."""
        return self._loop.run_until_complete(self._ask(n))

    def call_many(self, numbers: Iterator[int], window: int) -> list[int]:
        """Return fib of each number, with up to `window` in flight."""
        return self._loop.run_until_complete(self._ask_many(numbers, window))

    async def _ask_many(self, numbers: Iterator[int], window: int) -> list[int]:
        free = asyncio.Semaphore(window)
        tasks = []
        async with asyncio.TaskGroup() as group:
            for n in numbers:
                await free.acquire()
                task = group.create_task(self._ask(n))
                task.add_done_callback(lambda _: free.release())
                tasks.append(task)
        return [task.result() for task in tasks]

    def close(self) -> None:
        """Disconnect."""
        self._loop.run_until_complete(self._disconnect())
        self._loop.close()

    @abstractmethod
    async def _connect(self) -> None: ...

    @abstractmethod
    async def _ask(self, n: int) -> int: ...

    @abstractmethod
    async def _disconnect(self) -> None: ...
