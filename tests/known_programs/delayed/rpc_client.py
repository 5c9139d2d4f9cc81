"""raw_pika's client, and 1 ms."""

import time

import raw_pika.rpc_client

DELAY = 0.001  # seconds


class FibonacciRpcClient(raw_pika.rpc_client.FibonacciRpcClient):
    """Sleeps before each call."""

    def call(self, n: int, *, timeout: float | None = None) -> int:
        """See `contract.RpcClient.call`."""
        time.sleep(DELAY)
        return super().call(n, timeout=timeout)
