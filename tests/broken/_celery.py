"""celery_impl's server, with the hook by which the modules here break its worker."""

from typing import ClassVar
from unittest.mock import patch

from celery_impl import rpc_server
from celery_impl.consumer import RpcConsumer


class Server(rpc_server.FibonacciRpcServer):
    """A server whose worker has a consumer of one's choice."""

    consumer: ClassVar[type[RpcConsumer]] = RpcConsumer

    def run(self) -> int:
        """See `celery_impl.rpc_server`."""
        with patch.object(rpc_server, "RpcConsumer", self.consumer):
            return super().run()
