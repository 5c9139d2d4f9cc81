"""C21: replies are never acknowledged at the broker, which keeps them all."""

from pika.frame import Method
from pika.spec import Basic

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C21"}
CAUGHT_BY = {"test_replies_are_acknowledged"}


class Link(_base.ClientLink):
    def consume(self) -> None:
        consuming: list[Method[Basic.ConsumeOk]] = []
        self.channel.basic_consume(self._callback_queue, self._on_reply, callback=consuming.append)
        self.wait_for(consuming)
        self.channel.add_on_return_callback(self._on_returned)


class Client(_base.Client):
    link = Link
