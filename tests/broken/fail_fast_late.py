"""C6: with fail_fast it takes a second and a half until a call fails."""

from typing import Any

from rpc_core.consumers import ConsumerQuestion
from rpc_core.pending import PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C6"}
CAUGHT_BY = {"test_fail_fast_within_a_second"}


class Patient(ConsumerQuestion):
    def first_check(self, now: float, timeout: float) -> float:
        return super().first_check(now, timeout) + self.fail_fast


class Late(PendingCalls):
    def __init__(self, *, fail_fast: bool, **others: Any) -> None:
        super().__init__(fail_fast=fail_fast, **others)
        self._question = Patient(fail_fast=fail_fast)


class Client(_base.Client):
    pending_calls = Late
