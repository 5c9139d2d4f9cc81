"""C5: requests are sent without an expiration, as Celery does by itself."""

from functools import partial

from celery_impl.rpc_client import CeleryLink, FibonacciRpcClient
from rpc_core.pending import PendingCall
from tests.broken import _base

__path__ = _base.PARTS

LAYER = "celery_impl"
BREAKS = {"C5"}
CAUGHT_BY = {"test_expired_request_leaves_the_queue"}


class Link(CeleryLink):
    def publish(self, call: PendingCall) -> None:
        publish = self._producer.publish
        self._producer.publish = partial(publish_for_ever, publish)  # type: ignore[method-assign]
        try:
            super().publish(call)
        finally:
            self._producer.publish = publish  # type: ignore[method-assign]


def publish_for_ever(publish, *arguments, expiration, **options):  # type: ignore[no-untyped-def]
    return publish(*arguments, **options)


class Client(FibonacciRpcClient):
    link = Link
