"""A client that publishes with `request` and decodes what comes back."""

from typing import Any

from faststream.rabbit import RabbitBroker

from benchmarks.async_client import AsyncClient


class FibonacciRpcClient(AsyncClient):
    """One connection, for one thread."""

    async def _connect(self) -> None:
        self._broker = RabbitBroker(self._url, logger=None)
        await self._broker.connect()

    async def _ask(self, n: int) -> int:
        message: Any = await self._broker.request(n, queue=self._queue, timeout=60)
        answer: int = await message.decode()
        return answer

    async def _disconnect(self) -> None:
        await self._broker.stop()
