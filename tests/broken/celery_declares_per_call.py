"""C2: as Celery's own does, the client declares a queue again for every call: a round trip."""

from celery_impl.rpc_client import CeleryLink, FibonacciRpcClient
from rpc_core.pending import PendingCall
from tests.broken import _base

__path__ = _base.PARTS

LAYER = "celery_impl"
BREAKS = {"C2"}
CAUGHT_BY = {"test_methods_of_a_client"}


class Link(CeleryLink):
    def publish(self, call: PendingCall) -> None:
        self._request_queue(self.channel).queue_declare(passive=True)
        super().publish(call)


class Client(FibonacciRpcClient):
    link = Link
