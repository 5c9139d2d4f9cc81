"""The rows of every table: the implementations, and what stands beside them."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from importlib import import_module
from typing import Any, Self

from contract import RpcClient

FLOOR = "floor"
FIRST = {"raw_pika": "first_pika", "kombu_impl": "first_kombu", "celery_impl": "first_celery"}
"""Each layer as its own documentation begins, by the implementation that it stands beside."""
BARE = {"raw_pika": "bare_pika", "kombu_impl": "bare_kombu", "celery_impl": "bare_celery"}
"""Each layer at its bare minimum, by the same."""

TITLES = {
    "first_pika": "pika's tutorial",
    "first_kombu": "kombu's example",
    "first_celery": "Celery's first steps",
    "bare_pika": "pika, bare",
    "bare_kombu": "kombu, bare",
    "bare_celery": "Celery, bare",
}


def rows_beside(
    implementations: Sequence[str], *, floor: bool = True, layers: bool = True
) -> list[str]:
    """Return the rows of a table: the floor, the implementations, their layers as documented and bare."""
    beside = [
        rows[each] for rows in (FIRST, BARE) for each in implementations if layers and each in rows
    ]
    return [FLOOR] * floor + list(implementations) + beside


def package(row: str) -> str:
    """Return the package that a row's programs are in."""
    return f"benchmarks.{row}" if row == FLOOR or row in TITLES else row


def title(row: str) -> str:
    """Return how a row is called in tables and pictures."""
    return TITLES.get(row, row)


class Client:
    """One row's client, with `call` and `call_many` whatever it has itself. A context manager."""

    def __init__(self, row: str, url: str, queue: str, **options: Any) -> None:
        found = import_module(f"{package(row)}.rpc_client").FibonacciRpcClient
        self._client: Any = found(url, queue=queue, **options)
        self.call = self._client.call
        self.call_many = getattr(self._client, "call_many", self._submit_many)

    @property
    def client(self) -> RpcClient:
        """The client itself."""
        found: RpcClient = self._client
        return found

    def _submit_many(self, numbers: Iterator[int], window: int) -> list[int]:
        return submit_many(self._client, numbers, window)

    def close(self) -> None:
        """Close the client."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def submit_many(client: RpcClient, numbers: Iterator[int], window: int) -> list[int]:
    """Return fib of each number: `submit` whenever fewer than `window` are in flight."""
    free = threading.Semaphore(window)
    futures: list[Future[int]] = []
    for n in numbers:
        free.acquire()
        future = client.submit(n)
        future.add_done_callback(lambda _: free.release())
        futures.append(future)
    return [future.result() for future in futures]
