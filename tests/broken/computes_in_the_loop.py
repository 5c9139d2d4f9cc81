"""C16: while the thread that runs the event loop computes, nobody sees to the connection's heartbeats."""

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C16"}
ALSO = {"C2", "C5", "C15", "C17"}


class Server(_base.Server):
    def _service_connection(self) -> None:
        pass
