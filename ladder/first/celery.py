"""Celery's first steps: benchmarks/first_celery. It keeps Celery's own heartbeat of 120 seconds."""

from typing import Any

from benchmarks.first_celery.rpc_client import FibonacciRpcClient
from benchmarks.first_celery.rpc_server import serve
from ladder import adapter
from ladder.threads import ThreadedClient

__all__ = ["Client", "serve"]
__path__ = adapter.PARTS


class Client(ThreadedClient, adapter.Adapted):
    """Its client, behind the suite's signature."""

    connects_again = True
    program = FibonacciRpcClient

    @property
    def _app(self) -> Any:
        return self._client._app
