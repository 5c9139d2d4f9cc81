"""A client that calls the function by the queue's name."""

from typing import Any

import aio_pika
from aio_pika.patterns import RPC

from benchmarks.async_client import AsyncClient


class FibonacciRpcClient(AsyncClient):
    """One connection, for one thread."""

    async def _connect(self) -> None:
        self._connection: Any = await aio_pika.connect_robust(self._url)
        self._rpc: Any = await RPC.create(await self._connection.channel())

    async def _ask(self, n: int) -> int:
        answer: int = await self._rpc.call(self._queue, {"n": n})
        return answer

    async def _disconnect(self) -> None:
        await self._rpc.close()
        await self._connection.close()
