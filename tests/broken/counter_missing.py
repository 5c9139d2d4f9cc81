"""C22: there is no counter of reconnects."""

from typing import Any, NamedTuple

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C22"}
ALSO = {"C12", "C18", "C21"}


class Fewer(NamedTuple):
    sent: int
    succeeded: int
    failed: int
    timed_out: int
    late: int
    unknown: int
    malformed: int
    in_flight: int


class Client(_base.Client):
    @property
    def stats(self) -> Any:
        counters = super().stats._asdict()
        del counters["reconnects"]
        return Fewer(**counters)
