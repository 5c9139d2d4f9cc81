"""raw_pika's server."""

import sys

from contract.programs import parse_server_options
from raw_pika.rpc_server import FibonacciRpcServer

if __name__ == "__main__":
    sys.exit(FibonacciRpcServer(parse_server_options("delayed")).run())
