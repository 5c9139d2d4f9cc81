"""A client on asyncio behind the contract's signature, as `ladder.adapter` does it for those that block.

Its event loop runs in a thread of its own, and callers in other threads use `asyncio.run_coroutine_threadsafe`:
that is asyncio's own way. So whatever asyncio gives a program for nothing (many calls at a time, futures that can
be cancelled) counts.
"""

import asyncio
import threading
from concurrent.futures import Future
from typing import Any, ClassVar

from ladder.adapter import Outside
from rpc_core.request_queue import DEFAULT_QUEUE_TYPE


class AsyncAdapted(Outside):
    """A program's client. What it cannot be told (a timeout, say) is left out."""

    program: ClassVar[Any]  # a subclass of `benchmarks.async_client.AsyncClient`

    def open(self) -> None:
        """Build it, which connects it; then let its event loop run."""
        self._client = self.program(
            self.urls[0], queue=self.queue, queue_type=self.queue_type or DEFAULT_QUEUE_TYPE
        )
        self._loop: asyncio.AbstractEventLoop = self._client._loop
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def call(self, n: int, *, timeout: float | None = None) -> int:
        """Have it call, and wait."""
        return self.submit(n, timeout=timeout).result()

    def submit(self, n: int, *, timeout: float | None = None) -> "Future[int]":
        """Have it call."""
        return asyncio.run_coroutine_threadsafe(self._client._ask(n), self._loop)

    def close(self) -> None:
        """Disconnect, and end the event loop."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        await self._client._disconnect()
        mine = asyncio.current_task()
        for task in asyncio.all_tasks():  # as `asyncio.run` does at its end
            if task is not mine:
                task.cancel()
