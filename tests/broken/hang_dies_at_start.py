"""C19: the server ends as soon as it is started."""

import sys

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C19"}


class Server(_base.Server):
    def run(self) -> int:
        sys.exit("out of order")
