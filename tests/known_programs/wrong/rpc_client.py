"""raw_pika's client."""

from raw_pika.rpc_client import FibonacciRpcClient

__all__ = ["FibonacciRpcClient"]
