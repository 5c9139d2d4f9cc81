"""The client of the broken implementation that this module was imported from."""

import sys
from importlib import import_module

from contract.programs import run_client
from tests.broken import _base

assert __package__
FibonacciRpcClient = getattr(import_module(__package__), "Client", _base.Client)

if __name__ == "__main__":
    sys.exit(run_client(__package__, FibonacciRpcClient))
