"""C15: the server takes all requests there are, whatever its prefetch."""

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C15"}
ALSO = {"C19", "C23"}


class Link(_base.ServerLink):
    def consume(self, prefetch: int) -> None:
        super().consume(0)


class Server(_base.Server):
    link = Link
