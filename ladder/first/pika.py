"""pika's tutorial: benchmarks/first_pika."""

from benchmarks.first_pika import rpc_server
from benchmarks.first_pika.rpc_client import FibonacciRpcClient
from ladder import adapter
from rpc_core.programs import ServerOptions

__path__ = adapter.PARTS


class Client(adapter.Adapted):
    """Its client, behind the suite's signature."""

    program = FibonacciRpcClient


def serve(options: ServerOptions) -> None:
    """Serve, with the heartbeat that the suite asks for in the address, where pika looks for it."""
    rpc_server.serve(adapter.with_heartbeat(options))
