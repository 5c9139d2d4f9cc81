"""A server that registers the function under the queue's name; it computes in the event loop."""

import asyncio

import aio_pika
from aio_pika.patterns import RPC

from rpc_core.programs import READY_LINE, ServerOptions, parse_server_options


async def serve(options: ServerOptions) -> None:
    """Answer until somebody ends the process. One request computes at a time, whatever the concurrency."""
    connection = await aio_pika.connect_robust(options.urls[0])
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=options.prefetch)
    rpc = await RPC.create(channel)

    async def fib(*, n: int) -> int:
        result: int = options.function(n)
        return result

    arguments = {"x-queue-type": options.queue_type}
    await rpc.register(options.queue, fib, durable=True, arguments=arguments)
    print(READY_LINE, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(parse_server_options("first_aio_pika")))
