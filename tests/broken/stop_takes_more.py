"""C17: a server that was told to stop goes on taking requests that an idle one could compute."""

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C17"}
CAUGHT_BY = {"test_stopping_server_on_the_wire"}


class Link(_base.ServerLink):
    def cancel(self) -> None:
        pass


class Server(_base.Server):
    link = Link
