"""raw_pika's server, serving a function that is not the one asked for."""

import sys
from dataclasses import replace

from contract import fib
from raw_pika.rpc_server import FibonacciRpcServer
from rpc_core.programs import parse_server_options


def wrong(n: int) -> int:
    """Return fib(n) + 1."""
    return fib(n) + 1


if __name__ == "__main__":
    options = replace(parse_server_options("wrong"), function=wrong)
    sys.exit(FibonacciRpcServer(options).run())
