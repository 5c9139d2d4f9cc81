"""C18: a server that has served ends when the broker refuses its reply, though that may pass."""

from rpc_core.programs import ServerOptions
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C18"}
CAUGHT_BY = {"test_server_that_may_not_reply_for_a_while"}


class Server(_base.Server):
    def __init__(self, options: ServerOptions) -> None:
        super().__init__(options)
        self._backoff.on_request = lambda: None  # type: ignore[method-assign]
