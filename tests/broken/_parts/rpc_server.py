"""The server of the broken implementation that this module was imported from."""

import sys

from rpc_core.programs import parse_server_options
from tests.broken import _base

assert __package__
FibonacciRpcServer = _base.server_of(__package__)

if __name__ == "__main__":
    _base.log_as(__package__)
    sys.exit(FibonacciRpcServer(parse_server_options(__package__)).run())
