"""C21: the client keeps every call that timed out."""

from collections.abc import Iterable
from typing import ClassVar

from contract import RpcError
from rpc_core.pending import PendingCall, PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C21"}


class Hoarding(PendingCalls):
    hoard: ClassVar[list[PendingCall]] = []

    def _fail(self, calls: Iterable[PendingCall], error: RpcError, counter: str) -> None:
        calls = list(calls)
        self.hoard.extend(calls)
        super()._fail(calls, error, counter)


class Client(_base.Client):
    pending_calls = Hoarding
