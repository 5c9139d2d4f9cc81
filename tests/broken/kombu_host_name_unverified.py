"""C20: with `ssl=True` kombu does not compare a broker's host name with its certificate."""

from unittest.mock import patch

from kombu_impl import connection
from kombu_impl.rpc_client import FibonacciRpcClient
from rpc_core.client import Link
from tests.broken import _base

__path__ = _base.PARTS

LAYER = "kombu_impl"
BREAKS = {"C20"}
CAUGHT_BY = {"test_tls_refused"}


class Client(FibonacciRpcClient):
    def _open(self, url: str) -> Link:
        with patch.object(connection, "tls_options", lambda url: url.startswith("amqps:")):
            return super()._open(url)
