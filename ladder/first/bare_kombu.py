"""kombu, bare: benchmarks/bare_kombu. It has no heartbeat to set: kombu's own default is none."""

from benchmarks.bare_kombu.rpc_client import FibonacciRpcClient
from benchmarks.bare_kombu.rpc_server import serve
from ladder import adapter

__all__ = ["Client", "serve"]
__path__ = adapter.PARTS


class Client(adapter.Adapted):
    """Its client, behind the suite's signature."""

    connects_again = True
    program = FibonacciRpcClient
