"""A client that publishes with `request` and decodes what comes back."""

from typing import Any

from faststream.rabbit import RabbitBroker

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
        self._broker = RabbitBroker(self._url, logger=None)
        await self._broker.connect()

    async def _ask(self, n: int) -> int:
        message: Any = await self._broker.request(n, queue=self._queue, timeout=60)
        answer: int = await message.decode()
        return answer

    async def _disconnect(self) -> None:
        await self._broker.stop()
