"""What every implementation's `rpc_client.FibonacciRpcClient` offers. Nobody who calls it can tell which it is."""

from concurrent.futures import Future
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from contract.limits import DEFAULT_HEARTBEAT, DEFAULT_TIMEOUT


class Stats(NamedTuple):
    """C22: a client's counters at one moment. Every call ends in succeeded, failed, timed_out, or by cancel()."""

    sent: int = 0  # requests handed to the broker
    succeeded: int = 0
    failed: int = 0  # with any error but a timeout
    timed_out: int = 0
    late: int = 0  # replies to a call that had ended: too late, cancelled, or a duplicate
    unknown: int = 0  # replies with no correlation id, or one that this client never gave out
    malformed: int = 0  # replies that could not be read
    reconnects: int = 0
    in_flight: int = 0


class RpcClient(Protocol):
    """A client of one request queue. Threads may share it (C3); a process and its fork() may not.

    Built as `FibonacciRpcClient(url=None, *, queue="rpc_queue", timeout=10.0, fail_fast=False, heartbeat=30,
    queue_type=None)`, all times in seconds; `queue_type` is "classic", "quorum", or None for what there is (C23).
    It connects in the background, so building one neither waits nor fails because of the broker, and it connects
    again by itself when the connection was lost (C12).

    A callback added to a future runs in the client's own thread or in that of a caller: it may `submit`, and
    should not wait.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        queue: str = "rpc_queue",
        timeout: float = DEFAULT_TIMEOUT,
        fail_fast: bool = False,
        heartbeat: int = DEFAULT_HEARTBEAT,
        queue_type: str | None = None,
    ) -> None: ...

    def call(self, n: int, *, timeout: float | None = None) -> int:
        """Return fib(n) as the server computed it (C1), or fail at the deadline at the latest (C4).

        `timeout` is in seconds; `None` is the client's own default. There is no infinite wait.

        Raises:
            InvalidRequest: n is not an integer within the limits (C9).
            RemoteError: the function raised in the server (C10).
            RpcTimeout: no answer before the deadline (C4); `RpcServerUnavailable` if nobody serves (C6).
            RpcConnectionLost: the broker went away with the call in flight (C12).
            RpcAccessRefused: the broker refuses this client.
            RpcClosed: the client is, or was meanwhile, closed (C8), or it was made before a fork().
        """
        ...

    def submit(self, n: int, *, timeout: float | None = None) -> "Future[int]":
        """Send the request and return at once, with a future that ends as `call` does, or by cancel() (C7)."""
        ...

    @property
    def stats(self) -> Stats:
        """C22: a snapshot of the client's counters."""
        ...

    def close(self) -> None:
        """Fail what is pending with `RpcClosed`, and leave nothing behind (C8). Idempotent."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        type_: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
