"""C17: on SIGTERM the server is gone, and what it was computing with it."""

import os

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C17"}


class Server(_base.Server):
    def _stop(self) -> None:
        os._exit(0)
