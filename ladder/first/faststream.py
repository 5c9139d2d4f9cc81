"""FastStream's request and reply: benchmarks/first_faststream. Needs the optional group `peers`."""

import asyncio
from importlib import import_module

from ladder import adapter
from ladder.async_adapter import AsyncAdapted
from rpc_core.programs import ServerOptions

__path__ = adapter.PARTS

PROGRAM = "benchmarks.first_faststream"


class Client(AsyncAdapted):
    """Its client, behind the suite's signature."""

    connects_again = True
    program = import_module(f"{PROGRAM}.rpc_client").FibonacciRpcClient


def serve(options: ServerOptions) -> None:
    """Serve until SIGTERM, with the heartbeat in the address, where aio-pika below it looks for it."""
    told = adapter.with_heartbeat(adapter.with_queue_type(options))
    asyncio.run(import_module(f"{PROGRAM}.rpc_server").make_app(told).run())
