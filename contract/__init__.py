"""What the implementations agree on. Imports no messaging library; `client.py` is the place to begin."""

from contract.client import RpcClient
from contract.errors import (
    InvalidRequest,
    RemoteError,
    RpcAccessRefused,
    RpcClosed,
    RpcConnectionLost,
    RpcError,
    RpcServerUnavailable,
    RpcTimeout,
)
from contract.fibonacci import MAX_N, fib
from contract.pending import Stats

__all__ = [
    "MAX_N",
    "InvalidRequest",
    "RemoteError",
    "RpcAccessRefused",
    "RpcClient",
    "RpcClosed",
    "RpcConnectionLost",
    "RpcError",
    "RpcServerUnavailable",
    "RpcTimeout",
    "Stats",
    "fib",
]
