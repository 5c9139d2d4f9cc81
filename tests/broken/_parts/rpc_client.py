"""The client of the broken implementation that this module was imported from."""

import sys

from rpc_core.programs import run_client
from tests.broken import _base

assert __package__
FibonacciRpcClient = _base.client_of(__package__)

if __name__ == "__main__":
    _base.log_as(__package__)
    sys.exit(run_client(__package__, FibonacciRpcClient))
