"""Celery's first steps: benchmarks/first_celery. It keeps Celery's own heartbeat of 120 seconds."""

from benchmarks.first_celery.rpc_client import FibonacciRpcClient
from benchmarks.first_celery.rpc_server import serve
from ladder import adapter
from ladder.threads import ThreadedClient

__all__ = ["Client", "serve"]
__path__ = adapter.PARTS


class Client(ThreadedClient):
    """Its client, behind the suite's signature."""

    connects_again = True

    def open(self) -> None:
        """Build it."""
        self._client = FibonacciRpcClient(self.urls[0], queue=self.queue)
        self._app = self._client._app
        super().open()

    def call(self, n: int, *, timeout: float | None = None) -> int:
        """Have it call."""
        return self._client.call(n)

    def close(self) -> None:
        """Close it."""
        super().close()
        self._client.close()
