"""The client of the broken implementation that this module was imported from."""

import logging
import sys
from importlib import import_module

import raw_pika.rpc_client
from contract.programs import run_client
from tests.broken import _base

assert __package__
raw_pika.rpc_client.log = logging.getLogger(__package__)  # at the level that --verbose sets
FibonacciRpcClient = getattr(import_module(__package__), "Client", _base.Client)

if __name__ == "__main__":
    sys.exit(run_client(__package__, FibonacciRpcClient))
