"""The programs that are measured: the implementations, and what stands beside them."""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Self

from contract import RpcClient

BASELINE = "protocol_baseline"
FIRST = {"raw_pika": "first_pika", "kombu_impl": "first_kombu", "celery_impl": "first_celery"}
"""Each layer as its own documentation begins, by the implementation that it stands beside."""
BARE = {"raw_pika": "bare_pika", "kombu_impl": "bare_kombu", "celery_impl": "bare_celery"}
"""Each layer at its bare minimum, by the same."""
PEERS = {"first_aio_pika": "aio_pika", "first_faststream": "faststream"}
"""Other libraries as their documentation begins, by what they import: the optional dependency group `peers`."""

TITLES = {
    BASELINE: "protocol baseline",
    "first_pika": "pika's tutorial",
    "first_kombu": "kombu's example",
    "first_celery": "Celery's first steps",
    "first_aio_pika": "aio-pika's RPC pattern",
    "first_faststream": "FastStream's request",
    "bare_pika": "pika, bare",
    "bare_kombu": "kombu, bare",
    "bare_celery": "Celery, bare",
}
BESIDE: dict[str, Callable[[Sequence[str]], list[str]]] = {
    "baseline": lambda _: [BASELINE],
    "first": lambda implementations: [FIRST[each] for each in implementations if each in FIRST],
    "peers": lambda _: [peer for peer in PEERS if peer not in missing_peers()],
    "bare": lambda implementations: [BARE[each] for each in implementations if each in BARE],
}


def missing_peers() -> list[str]:
    """Return the programs whose library is not installed."""
    return [peer for peer, library in PEERS.items() if find_spec(library) is None]


def programs(implementations: Sequence[str], beside: Collection[str]) -> list[str]:
    """Return the programs to measure: the baseline, the implementations, then what else of `BESIDE` is wanted."""
    found = {name: BESIDE[name](implementations) for name in BESIDE if name in beside}
    return [
        *found.pop("baseline", []),
        *implementations,
        *(each for some in found.values() for each in some),
    ]


def package(program: str) -> str:
    """Return the package of a program's client and server."""
    return f"benchmarks.{program}" if program in TITLES else program


def title(program: str) -> str:
    """Return how a program is called in tables and pictures."""
    return TITLES.get(program, program)


class Client:
    """A program's client, with `call` and `call_many` whatever it has itself. A context manager."""

    def __init__(self, program: str, url: str, queue: str, **options: Any) -> None:
        found = import_module(f"{package(program)}.rpc_client").FibonacciRpcClient
        self._client: Any = found(url, queue=queue, **options)
        self.call = self._client.call
        self.call_many = getattr(self._client, "call_many", self._submit_many)

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
