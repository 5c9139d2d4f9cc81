"""raw_pika's server."""

import sys

from raw_pika.rpc_server import FibonacciRpcServer
from rpc_core.programs import parse_server_options

if __name__ == "__main__":
    sys.exit(FibonacciRpcServer(parse_server_options("renamed")).run())
