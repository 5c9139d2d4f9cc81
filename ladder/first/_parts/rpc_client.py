"""The client of the adapted program that this module was imported from."""

import sys
from importlib import import_module

from rpc_core.programs import run_client

assert __package__
FibonacciRpcClient = import_module(__package__).Client

if __name__ == "__main__":
    sys.exit(run_client(__package__, FibonacciRpcClient))
