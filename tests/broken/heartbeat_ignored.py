"""C16: a server asks for a heartbeat of its own liking, not the one that it was told."""

from dataclasses import replace

from rpc_core.programs import ServerOptions
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C16"}
CAUGHT_BY = {"test_options_of_a_server_reach_the_broker"}


class Server(_base.Server):
    def __init__(self, options: ServerOptions) -> None:
        super().__init__(replace(options, heartbeat=60))
