"""kombu's RPC example: benchmarks/first_kombu."""

from benchmarks.first_kombu import rpc_server
from benchmarks.first_kombu.rpc_client import FibonacciRpcClient
from ladder import adapter
from rpc_core.programs import ServerOptions

__path__ = adapter.PARTS


class Client(adapter.Adapted):
    """Its client, behind the suite's signature."""

    connects_again = True
    program = FibonacciRpcClient


def serve(options: ServerOptions) -> None:
    """Serve, with the heartbeat that the suite asks for in the address, where kombu looks for it."""
    rpc_server.serve(adapter.with_heartbeat(options))
