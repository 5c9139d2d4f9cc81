"""A client that calls the function by the queue's name."""

from typing import Any

import aio_pika
from aio_pika.patterns import RPC

from benchmarks.async_client import AsyncClient
from rpc_core.addresses import broker_urls


class FibonacciRpcClient(AsyncClient):
    """One connection, for one thread."""

    def __init__(
        self, url: str | None = None, *, queue: str = "rpc_queue", queue_type: str = "classic"
    ) -> None:
        self._url = broker_urls(url)[0]
        self._queue = queue
        super().__init__()

    async def _connect(self) -> None:
        self._connection: Any = await aio_pika.connect_robust(self._url)
        self._rpc: Any = await RPC.create(await self._connection.channel())

    async def _ask(self, n: int) -> int:
        answer: int = await self._rpc.call(self._queue, {"n": n})
        return answer

    async def _disconnect(self) -> None:
        await self._rpc.close()
        await self._connection.close()
