"""C19: the server wants the queue for itself, so a second one is refused."""

from pika.frame import Method
from pika.spec import Basic

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C19"}
ALSO = {"C11", "C12", "C15", "C17", "C23"}


class Link(_base.ServerLink):
    def consume(self, prefetch: int) -> None:
        self.channel.basic_qos(prefetch_count=prefetch)
        consuming: list[Method[Basic.ConsumeOk]] = []
        tag = self.channel.basic_consume(
            self._options.queue, self._on_request, exclusive=True, callback=consuming.append
        )
        self.wait_for(consuming)
        self._consumer_tags.append(tag)


class Server(_base.Server):
    link = Link
