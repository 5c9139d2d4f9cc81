"""What the implementations agree on. Imports no messaging library; `client.py` is the place to begin."""

from contract.client import RpcClient, Stats
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
from contract.fibonacci import fib
from contract.limits import MAX_N

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
