"""C18: a server tries again four times a second, for ever."""

from rpc_core.connecting import ServerBackoff
from rpc_core.limits import RECONNECT_DELAY
from rpc_core.programs import ServerOptions
from rpc_core.refusals import Failure
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C18"}
CAUGHT_BY = {"test_backoff_of_client_and_server"}


class Flat(ServerBackoff):
    def gives_up(self, failure: Failure) -> bool:
        self._next = RECONNECT_DELAY
        return super().gives_up(failure)


class Server(_base.Server):
    def __init__(self, options: ServerOptions) -> None:
        super().__init__(options)
        self._backoff = Flat(self.log, options.urls)
