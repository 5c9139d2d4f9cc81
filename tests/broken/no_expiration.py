"""C5: requests carry no expiration."""

from typing import Any

from rpc_core.pending import PendingCall
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C5"}
ALSO = {"C11"}


class Eternal(PendingCall):
    __slots__ = ()

    @property
    def expiration(self) -> Any:
        return None


class Client(_base.Client):
    def _publish(self, call: PendingCall) -> None:
        call.__class__ = Eternal
        super()._publish(call)
