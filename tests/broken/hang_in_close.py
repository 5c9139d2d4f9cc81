"""C8: close() waits for good."""

import threading

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C8"}


class Client(_base.Client):
    def close(self) -> None:
        super().close()
        threading.Event().wait()
