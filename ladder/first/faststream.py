"""FastStream's request and reply: benchmarks/first_faststream. Needs the optional group `peers`."""

import asyncio
from importlib import import_module

from ladder import adapter
from rpc_core.programs import ServerOptions

__path__ = adapter.PARTS

PROGRAM = "benchmarks.first_faststream"


class Client(adapter.Adapted):
    """Its client, behind the suite's signature."""

    connects_again = True
    program = import_module(f"{PROGRAM}.rpc_client").FibonacciRpcClient


def serve(options: ServerOptions) -> None:
    """Serve until SIGTERM."""
    asyncio.run(
        import_module(f"{PROGRAM}.rpc_server").make_app(adapter.with_queue_type(options)).run()
    )
