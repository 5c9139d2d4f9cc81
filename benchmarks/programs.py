"""The programs that are measured: the implementations, and what stands beside them."""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

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


def missing_peers() -> list[str]:
    """Return the programs whose library is not installed."""
    return [peer for peer, library in PEERS.items() if find_spec(library) is None]


def programs(implementations: Sequence[str], beside: Collection[str]) -> list[str]:
    """Return the programs to measure: the implementations, and the kinds wanted `beside` them."""
    kinds: dict[str, Sequence[str]] = {
        "baseline": [BASELINE],
        "implementations": implementations,
        "first": [FIRST[each] for each in implementations if each in FIRST],
        "peers": [peer for peer in PEERS if peer not in missing_peers()],
        "bare": [BARE[each] for each in implementations if each in BARE],
    }
    wanted = {"implementations", *beside}
    return [program for kind in kinds if kind in wanted for program in kinds[kind]]


def package(program: str) -> str:
    """Return the package of a program's client and server."""
    return f"benchmarks.{program}" if program in TITLES else program


def title(program: str) -> str:
    """Return how a program is called in tables and pictures."""
    return TITLES.get(program, program)


class Client:
    """A program's client, with `call` and `call_many` whatever it has itself. To be closed."""

    def __init__(self, program: str, url: str, queue: str, **options: Any) -> None:
        found = import_module(f"{package(program)}.rpc_client").FibonacciRpcClient
        client: Any = found(url, queue=queue, **options)
        self.call: Callable[[int], int] = client.call
        self.call_many: Callable[[Iterator[int], int], list[int]] = getattr(
            client, "call_many", partial(submit_many, client)
        )
        self.close: Callable[[], None] = client.close


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
