"""Celery, bare: benchmarks/bare_celery. It keeps Celery's own heartbeat of 120 seconds."""

from benchmarks.bare_celery.rpc_client import FibonacciRpcClient
from benchmarks.bare_celery.rpc_server import serve
from ladder import adapter

__all__ = ["Client", "serve"]
__path__ = adapter.PARTS


class Client(adapter.Adapted):
    """Its client, behind the suite's signature."""

    connects_again = True
    program = FibonacciRpcClient
