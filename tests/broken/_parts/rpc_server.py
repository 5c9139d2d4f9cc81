"""The server of the broken implementation that this module was imported from."""

import logging
import sys
from importlib import import_module

import raw_pika.rpc_server
from contract.programs import parse_server_options
from tests.broken import _base

assert __package__
raw_pika.rpc_server.log = logging.getLogger(__package__)  # at the level that --verbose sets
FibonacciRpcServer = getattr(import_module(__package__), "Server", _base.Server)

if __name__ == "__main__":
    sys.exit(FibonacciRpcServer(parse_server_options(__package__)).run())
