"""C4: at its deadline a call returns None."""

from typing import Any

from contract import RpcServerUnavailable, RpcTimeout
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C4"}
ALSO = {"C12", "C13"}


class Client(_base.Client):
    def call(self, n: int, *, timeout: float | None = None) -> Any:
        try:
            return super().call(n, timeout=timeout)
        except RpcServerUnavailable:
            raise
        except RpcTimeout:
            return None
