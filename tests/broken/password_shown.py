"""C20: the broker's address, password and all, is in errors and in `repr`."""

from typing import Any

from contract import RpcAccessRefused
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C20"}
CAUGHT_BY = {"test_no_password_in_process"}


class Client(_base.Client):
    def __init__(self, url: str | None = None, **options: Any) -> None:
        super().__init__(url, **options)
        self._url = url

    def call(self, n: int, *, timeout: float | None = None) -> int:
        try:
            return super().call(n, timeout=timeout)
        except RpcAccessRefused as error:
            raise RpcAccessRefused(f"{self._url}: {error}") from None

    def __repr__(self) -> str:
        return f"FibonacciRpcClient({self._url!r})"
