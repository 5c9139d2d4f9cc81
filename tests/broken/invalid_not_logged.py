"""C9: an invalid request leaves no line in the server's log: without reply_to no trace at all."""

import logging

from rpc_core.programs import ServerOptions
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C9"}
CAUGHT_BY = {"test_log_of_invalid_requests"}


class Server(_base.Server):
    def __init__(self, options: ServerOptions) -> None:
        super().__init__(options)
        logging.getLogger("contract.wire").setLevel(logging.ERROR)
