"""raw_pika's classes under short names, and how `_parts` finds a broken implementation's own."""

import logging
from importlib import import_module
from pathlib import Path

from contract import RpcClient
from raw_pika import rpc_client, rpc_server

PARTS = [str(Path(__file__).parent / "_parts")]

Client = rpc_client.FibonacciRpcClient
ClientLink = rpc_client.PikaLink
Server = rpc_server.FibonacciRpcServer
ServerLink = rpc_server.PikaLink


def layer_of(package: str) -> str:
    """Return the implementation that a broken one derives from."""
    layer: str = getattr(import_module(package), "LAYER", "raw_pika")
    return layer


def client_of(package: str) -> type[RpcClient]:
    """Return a broken implementation's client: its own, or its layer's."""
    layer = import_module(f"{layer_of(package)}.rpc_client").FibonacciRpcClient
    found: type[RpcClient] = getattr(import_module(package), "Client", layer)
    return found


def server_of(package: str) -> type[Server]:
    """Return a broken implementation's server: its own, or its layer's (Celery's is built and run alike)."""
    layer = import_module(f"{layer_of(package)}.rpc_server").FibonacciRpcServer
    found: type[Server] = getattr(import_module(package), "Server", layer)
    return found


def log_as(package: str) -> None:
    """Have the layer log at the level that --verbose sets for the package."""
    logging.getLogger(layer_of(package)).parent = logging.getLogger(package)
