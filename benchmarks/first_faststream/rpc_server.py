"""A server whose subscriber returns the result; it computes in the event loop."""

import asyncio
from typing import Any

from faststream import FastStream
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue

from rpc_core.programs import READY_LINE, ServerOptions, parse_server_options


def make_app(options: ServerOptions) -> FastStream:
    """Return the application with its one subscriber."""
    channel = Channel(prefetch_count=options.prefetch)
    broker = RabbitBroker(options.urls[0], default_channel=channel, logger=None)
    arguments: Any = {"x-queue-type": options.queue_type}

    async def fib(n: int) -> int:
        result: int = options.function(n)
        return result

    def print_ready() -> None:
        print(READY_LINE, flush=True)

    # its documentation writes these two as decorators
    broker.subscriber(RabbitQueue(options.queue, durable=True, arguments=arguments))(fib)
    app = FastStream(broker, logger=None)
    app.after_startup(print_ready)
    return app


if __name__ == "__main__":
    asyncio.run(make_app(parse_server_options("first_faststream")).run())
