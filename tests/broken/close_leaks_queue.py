"""C8: the callback queue stays in the broker when the client has gone."""

import uuid

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C8"}


class Link(_base.ClientLink):
    def declare(self) -> None:
        super().declare()
        self._callback_queue = f"replies-{uuid.uuid4().hex}"
        self.channel.queue_declare(self._callback_queue, durable=True)


class Client(_base.Client):
    link = Link
