"""C22: a client that is idle counts a call in flight."""

from contract import Stats
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C22"}
ALSO = {"C7", "C12"}


class Client(_base.Client):
    @property
    def stats(self) -> Stats:
        stats = super().stats
        return stats._replace(in_flight=stats.in_flight + 1)
