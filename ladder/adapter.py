"""What no step is about: the arguments that the suite builds a client with, and the methods that it asks all for.

Nothing here keeps a clause of the contract. A program without counters has its calls counted from outside, as
tests wait for `stats.sent` before they look at what they are about (see `Outside`).
"""

import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from functools import wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Self

import pika

from contract import Stats
from contract.limits import DEFAULT_HEARTBEAT, DEFAULT_TIMEOUT
from rpc_core.addresses import broker_urls
from rpc_core.programs import ServerOptions
from rpc_core.request_queue import DEFAULT_QUEUE_TYPE, declared_arguments

log = logging.getLogger(__name__)

PARTS = [str(Path(__file__).parent / "first" / "_parts")]


def parameters(url: str, heartbeat: int) -> pika.URLParameters:
    """Return pika's parameters for one broker; `heartbeat` in seconds."""
    found = pika.URLParameters(url)
    found.heartbeat = heartbeat
    return found


class Call(Future[int]):
    """What a client remembers of a call, from step 4 on."""

    def __init__(self, body: bytes, timeout: float) -> None:
        super().__init__()
        self.id = str(uuid.uuid4())
        self.body = body
        self.sent = False
        self.deadline = time.monotonic() + timeout
        self.check_at = self.deadline  # when to ask who serves

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, and never less than 0."""
        return max(0.0, self.deadline - time.monotonic())

    @property
    def until_check(self) -> float:
        """Seconds until `check_at`, and never less than 0."""
        return max(0.0, self.check_at - time.monotonic())


def end(call: "Future[int]", outcome: int | BaseException) -> None:
    """End a call with a result or an error."""
    if isinstance(outcome, BaseException):
        call.set_exception(outcome)
    else:
        call.set_result(outcome)


def ending(outcome: object) -> str:
    """Return the counter for a call that ended with this result or error."""
    if isinstance(outcome, BaseException):
        return "timed_out" if isinstance(outcome, TimeoutError) else "failed"  # RpcTimeout is one
    return "succeeded"


class Client:
    """Keeps the constructor's arguments, and calls `open`. A step uses those that its ideas need."""

    calls: Mapping[str, object]  # by correlation id, the calls that are not answered

    def __init__(
        self,
        url: str | None = None,
        *,
        queue: str = "rpc_queue",
        timeout: float = DEFAULT_TIMEOUT,
        fail_fast: bool = False,
        heartbeat: int = DEFAULT_HEARTBEAT,
        queue_type: str | None = None,
    ) -> None:
        self.urls = broker_urls(url)
        self.queue = queue
        self.timeout = timeout
        self.fail_fast = fail_fast
        self.heartbeat = heartbeat
        self.queue_type = queue_type
        self.queue_arguments = declared_arguments(queue_type)
        self.counters: Counter[str] = Counter()  # what `Stats` names
        self._one_at_a_time = threading.Lock()
        self.open()

    def open(self) -> None:
        """Make the client ready for its first call."""

    @property
    def stats(self) -> Stats:
        """C22: the counters now."""
        return Stats(**self.counters, in_flight=len(self.calls))

    def close(self) -> None:
        """Close the client."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Outside(Client):
    """Counts the calls of a client that has no counters: those that go in, and how each ends.

    `stats` has no `late`, `unknown` or `malformed`, which only a client itself can know, so C22 is not kept; and
    no `reconnects` but where it is certain: 0 in a program that never connects again.
    """

    counts_in = "submit"  # the method that each call goes through
    connects_again = False

    def __init_subclass__(cls) -> None:
        """Have a subclass's calls counted."""
        method = vars(cls).get(cls.counts_in)
        if method is not None and "counts_in" not in vars(cls):
            setattr(cls, cls.counts_in, counted(method))

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._counts = Counter(sent=0, succeeded=0, failed=0, timed_out=0, in_flight=0)
        self._counting = threading.Lock()
        super().__init__(*arguments, **options)

    @property
    def stats(self) -> Any:
        """What can be counted from outside; an AttributeError for the rest."""
        return SimpleNamespace(**self._counts, **({} if self.connects_again else {"reconnects": 0}))

    def count(self, **changes: int) -> None:
        """Change counters."""
        with self._counting:
            self._counts.update(changes)


def counted(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of an `Outside` that counts a call when it begins, and when it or its future ends."""

    @wraps(method)
    def call(self: Outside, *arguments: Any, **options: Any) -> Any:
        self.count(sent=1, in_flight=1)
        try:
            outcome = method(self, *arguments, **options)
        except BaseException as error:
            self.count(**{ending(error): 1}, in_flight=-1)
            raise
        if not isinstance(outcome, Future):
            self.count(succeeded=1, in_flight=-1)
            return outcome

        def done(future: "Future[int]") -> None:
            how = {} if future.cancelled() else {ending(future.exception()): 1}
            self.count(**how, in_flight=-1)

        outcome.add_done_callback(done)
        return outcome

    return call


class BlockingClient(Outside):
    """Gives a client that can only wait a `submit`: other threads make these calls, one after the other.

    Tests of the server send a request and look at the server meanwhile. What `call` does is left alone: whether
    threads may share the client is still the client's affair.
    """

    counts_in = "call"

    def call(self, n: int, *, timeout: float | None = None) -> int:
        """Return fib(n)."""
        raise NotImplementedError

    def submit(self, n: int, *, timeout: float | None = None) -> "Future[int]":
        """Call in another thread."""
        future: Future[int] = Future()

        def work() -> None:
            with self._one_at_a_time:
                try:
                    future.set_result(self.call(n, timeout=timeout))
                except BaseException as error:
                    future.set_exception(error)

        # a thread that a program's end does not wait for: some of these calls never return
        threading.Thread(target=work, daemon=True).start()
        return future


class Adapted(BlockingClient):
    """A program's client, behind the contract's signature. What it cannot be told (a timeout, say) is left out."""

    program: ClassVar[Any]

    def open(self) -> None:
        """Build it."""
        self._client = self.program(
            self.urls[0], queue=self.queue, queue_type=self.queue_type or DEFAULT_QUEUE_TYPE
        )

    def call(self, n: int, *, timeout: float | None = None) -> int:
        """Have it call."""
        answer: int = self._client.call(n)
        return answer

    def close(self) -> None:
        """Close it."""
        self._client.close()


def with_heartbeat(options: ServerOptions) -> ServerOptions:
    """Return a server's options with the heartbeat in the address, where pika looks for it."""
    urls = [f"{url}?heartbeat={options.heartbeat}" for url in options.urls]
    return replace(options, urls=urls)


def with_queue_type(options: ServerOptions) -> ServerOptions:
    """Return a server's options with a type for the queue: these programs want one."""
    return replace(options, queue_type=options.queue_type or DEFAULT_QUEUE_TYPE)
