"""C19: the server never says that it is ready."""

import threading

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C19"}


class Server(_base.Server):
    def run(self) -> int:
        threading.Event().wait()
        return 0
