"""The client and the server that the layers share, with a link that is no connection: what they tell it."""

import logging
import os
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from contract.errors import RpcClosed
from contract.fibonacci import fib
from contract.limits import DEFAULT_HEARTBEAT
from contract.service import Service, check_integer
from contract.wire import CONTENT_TYPE, Reply
from rpc_core import server as server_module
from rpc_core.client import BaseClient
from rpc_core.forks import close_in_child
from rpc_core.limits import HOLD_BACK
from rpc_core.options import ClientOptions
from rpc_core.pending import PendingCall, PendingCalls
from rpc_core.programs import EXIT_REFUSED, ServerOptions
from rpc_core.refusals import Failure
from rpc_core.request_queue import Arguments
from rpc_core.server import BaseServer, Request
from tests.clock import Clock
from tests.systems import needs_fork
from tests.waiting import wait_until

URL = "amqp://guest:guest@nowhere:5672/%2F"
CLASSIC: Arguments = {"x-queue-type": "classic"}


class Link:
    """Notes what it is told; and does, within `read`, what it is given to do."""

    def __init__(self, url: str, options: ClientOptions, pending: PendingCalls) -> None:
        self.built = url, options
        self.pending = pending
        self.told: list[str] = []
        self.published: list[PendingCall] = []
        self._todo: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()

    is_waiting = False

    @staticmethod
    def failure(error: BaseException) -> Failure:
        """Every failure is an outage."""
        return Failure(error)

    def declare(self) -> None:
        """Note it."""
        self.told.append("declare")

    def consume(self) -> None:
        """Note it."""
        self.told.append("consume")

    def publish(self, call: PendingCall) -> None:
        """Note it, and keep the call."""
        self.published.append(call)
        self.told.append(f"publish {call.body.decode()}")

    def count_consumers(self) -> None:
        """Note it."""
        self.told.append("count_consumers")

    def read(self) -> None:
        """Do one thing that was given to do."""
        self._todo.get(timeout=20)()

    def do(self, action: Callable[[], object]) -> None:
        """Have something done, within `read`."""
        self._todo.put(action)

    def wake(self) -> None:
        """End the wait in `read`."""
        self.do(lambda: None)

    def close(self) -> None:
        """Note it."""
        self.told.append("close")

    def drop(self) -> None:
        """Note it."""
        self.told.append("drop")


class Client(BaseClient[Any, Any]):
    """A client whose links are kept, the last one last."""

    def __init__(self, **options: Any) -> None:
        self.links: list[Link] = []
        super().__init__(URL, **options)

    def link(self, url: str, options: ClientOptions, pending: PendingCalls) -> Link:  # type: ignore[override]
        """Return a new link, and keep it."""
        self.links.append(Link(url, options, pending))
        return self.links[-1]

    link.failure = Link.failure  # type: ignore[attr-defined]


Opened = Callable[..., tuple[Client, Link]]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Return a function that builds a client, and returns it with its link; it is closed afterwards."""
    clients: list[Client] = []

    def open_client(kind: type[Client] = Client, **options: Any) -> tuple[Client, Link]:
        clients.append(kind(**options))
        wait_until(lambda: clients[-1].links and clients[-1].links[-1].told, "a link")
        return clients[-1], clients[-1].links[-1]

    yield open_client
    for client in clients:
        client.close()


def test_client_says_what_it_was_built_with(opened: Opened) -> None:
    """Names: a link gets the client's options; without any, the queue is rpc_queue, and classic."""
    _, link = opened()
    assert link.built == (URL, ClientOptions("rpc_queue", None, CLASSIC, DEFAULT_HEARTBEAT))
    _, link = opened(queue="other", queue_type="quorum", heartbeat=7)
    quorum: Arguments = {"x-queue-type": "quorum"}
    assert link.built == (URL, ClientOptions("other", "quorum", quorum, 7))


def test_client_refuses_what_no_queue_is() -> None:
    """C9: a type of queue that there is not is refused at once, and leaves no thread."""
    threads = set(threading.enumerate())
    with pytest.raises(ValueError, match="queue_type must be one of"):
        Client(queue_type="stream")
    assert set(threading.enumerate()) == threads


def test_threads_of_a_client_hold_up_no_program(opened: Opened) -> None:
    """C8: a program may end without closing its client."""
    threads = set(threading.enumerate())
    opened()
    added = set(threading.enumerate()) - threads
    assert len(added) == 2
    assert all(thread.daemon for thread in added)


def stepped_aside(client: Client) -> bool:
    """Whether the background thread lets callers read."""
    right = client._reading._right
    if not right.acquire(blocking=False):
        return False
    right.release()
    return True


def test_close_in_the_thread_that_reads(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """C8: a caller that reads may close the client there, as a signal's handler does; its call ends."""
    monkeypatch.setattr("rpc_core.reading.STEP_ASIDE", 60)
    client, link = opened()
    link.wake()
    wait_until(lambda: stepped_aside(client), "the background thread to step aside")
    closed_in: list[threading.Thread] = []

    def close() -> None:
        client.close()
        closed_in.append(threading.current_thread())

    link.do(close)
    with pytest.raises(RpcClosed):
        client.call(30)
    assert closed_in == [threading.main_thread()]


def test_close_in_the_thread_of_the_deadlines(opened: Opened) -> None:
    """C8: a callback of a call that timed out may close the client."""
    client, _ = opened()
    closed = threading.Event()

    def close(_: object) -> None:
        client.close()
        closed.set()

    client.submit(30, timeout=0.1).add_done_callback(close)
    assert closed.wait(10)


def test_close_returns_after_its_threads(opened: Opened) -> None:
    """C8: once close() has returned, the link is closed and no thread is left."""
    threads = set(threading.enumerate())
    client, link = opened()
    client.close()
    assert set(threading.enumerate()) == threads
    assert link.told[-1] == "close"


def test_client_of_another_process(opened: Opened) -> None:
    """C2: a client from before a fork says so, and its close() does nothing."""
    client, link = opened()
    client._process += 1
    with pytest.raises(RpcClosed, match="this client was made before a fork"):
        client.call(1)
    client.close()
    client._process -= 1
    assert link.told == ["declare", "consume"]


def test_client_asks_its_link_for_no_more_than_it_needs(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    """C6: a request is one message; it is sent again when it was returned, after the queue was declared."""
    caplog.set_level(logging.DEBUG)
    client, link = opened()
    future = client.submit(30)
    wait_until(lambda: "publish 30" in link.told, "the request")
    assert link.told == ["declare", "consume", "publish 30"]
    call = link.published[0]
    assert caplog.messages == [f"-> request {call.correlation_id}: b'30'"]
    link.do(lambda: link.pending.on_returned(call.correlation_id))
    wait_until(lambda: link.told.count("publish 30") == 2, "the request, once more")
    assert link.told == ["declare", "consume", "publish 30", "count_consumers", "publish 30"]
    link.do(lambda: link.pending.on_reply(call.correlation_id, b"832040", CONTENT_TYPE, None))
    assert future.result(10) == 832040
    other = client.submit(31)
    wait_until(lambda: link.told[-1] == "publish 31", "another request")
    other.cancel()
    assert link.told[4:] == ["publish 30", "publish 31"]
    assert (client.stats.sent, client.stats.reconnects) == (2, 0)


class TextClient(Client):
    """A client whose requests and replies are texts."""

    service = Service(str, lambda value: value)


def test_client_of_another_service(opened: Opened) -> None:
    """C13: what a reply may be is the service's to say."""
    client, link = opened(TextClient)
    future = client.submit("abc")
    wait_until(lambda: link.told[-1] == 'publish "abc"', "the request")
    call = link.published[0]
    link.do(lambda: link.pending.on_reply(call.correlation_id, b'"three"', CONTENT_TYPE, None))
    assert future.result(10) == "three"


# -- the server ------------------------------------------------------------------------------------------

SERVER = ServerOptions([URL], "other", fib, 1, 1, 30, None, CLASSIC, verbose=False)


class ServerLink:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.on_read: Callable[[], object] = lambda: None

    def consume(self, prefetch: int) -> None:
        """Note it."""
        self.told.append(f"consume {prefetch}")

    def reply(self, request: Request, reply: Reply | None) -> None:
        """Note it."""
        self.told.append(f"reply {reply.body.decode() if reply else None} to {request.delivery}")

    def give_back(self, request: Request) -> None:
        """Note it."""
        self.told.append(f"give back {request.delivery}")

    def read(self, *, wait: bool = True) -> None:
        """Note it."""
        self.told.append("read" if wait else "look")
        self.on_read()

    def wake(self) -> None:
        """Note it."""
        self.told.append("wake")

    def cancel(self) -> None:
        """Note it."""
        self.told.append("cancel")

    def close(self) -> None:
        """Note it."""
        self.told.append("close")


def request(body: bytes = b"1", delivery: int = 1) -> Request:
    """Return a request as a layer delivers it."""
    return Request(body, CONTENT_TYPE, "somewhere", "id", None, delivery, 0.0)


Build = Callable[..., tuple[BaseServer, ServerLink]]


@pytest.fixture
def build() -> Iterator[Build]:
    """Return a function that builds a server, and returns it with its link."""
    with ExitStack() as stack:

        def build_server(**options: Any) -> tuple[BaseServer, ServerLink]:
            server, link = BaseServer(replace(SERVER, **options)), ServerLink()
            stack.enter_context(server._signals)  # which has sockets
            server._link = link  # type: ignore[assignment]  # it has not all that a link has
            server._workers = None
            server._keep_alive = nullcontext()  # type: ignore[assignment]  # nothing takes long
            return server, link

        yield build_server


def test_server_of_another_service(build: Build) -> None:
    """C9: what a request may be is the service's to say."""
    server, _ = build(function=len, service=Service(str, check_integer))
    assert server._compute(request(b'"abc"')) == Reply(b"3")


class Refusal(Exception):
    """A broker's refusal."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Links:
    """Builds the links of a server: notes with which address and arguments, and what happens then."""

    def __init__(self, server: BaseServer, then: Callable[[], None]) -> None:
        self.built: list[tuple[str, Arguments]] = []
        self.dropped = 0
        self._then = then
        server.link = self  # type: ignore[assignment, misc]  # called, it is as a class

    def __call__(self, url: str, options: ServerOptions, _: object) -> "Links":
        """Note it."""
        self.built.append((url, options.queue_arguments))
        return self

    @staticmethod
    def failure(error: BaseException) -> Failure:
        """A refusal, or an outage."""
        return Failure(error, error.code if isinstance(error, Refusal) else None)

    def declare(self) -> None:
        """Do what is to happen."""
        self._then()

    def drop(self) -> None:
        """Note it."""
        self.dropped += 1


def test_server_takes_the_queue_as_it_is(build: Build) -> None:
    """C23: a server that meets a queue with other arguments declares it with these, on another connection."""
    server, _ = build()
    refusals = [
        Refusal(
            406,
            "inequivalent arg 'x-queue-type' for queue 'other': received 'classic' but current is 'quorum'",
        )
    ]

    def refuse() -> None:
        if refusals:
            raise refusals.pop()

    links = Links(server, refuse)
    assert isinstance(server._open(URL), Links)
    assert links.built == [(URL, CLASSIC), (URL, {"x-queue-type": "quorum"})]
    assert links.dropped == 1


def test_server_that_is_refused(build: Build) -> None:
    """C18: a server that is refused before it ever served ends with 77, and asks no other broker."""
    server, _ = build(urls=[URL, f"{URL}2"])
    server._link = None

    def refuse() -> None:
        raise Refusal(403, "no")

    links = Links(server, refuse)
    assert server._run() == EXIT_REFUSED
    assert links.built == [(URL, CLASSIC)]


def test_server_told_to_stop_while_it_connects(build: Build) -> None:
    """C17: it tries no other address, and ends as one that was told to."""
    server, _ = build(urls=[URL, f"{URL}2"])
    server._link = None

    def stop() -> None:
        server._signals.stop_requested = True
        raise ConnectionAbortedError

    links = Links(server, stop)
    assert server._run() == 0
    assert server._run() == 0  # told before it began
    assert links.built == [(URL, CLASSIC)]


def test_server_waits_in_its_link(build: Build) -> None:
    """C17: an idle server waits; a signal ends the wait, and then it closes; one that comes later does no harm."""
    server, link = build()

    def stop() -> None:
        server._wake()
        server._stopping = True

    link.on_read = stop
    server._serve()
    server._wake()
    assert link.told == ["read", "wake", "close"]


@pytest.mark.parametrize(("concurrency", "in_main_thread"), [(1, True), (2, False), (3, False)])
def test_where_jobs_are_computed(
    monkeypatch: pytest.MonkeyPatch, concurrency: int, in_main_thread: bool
) -> None:
    """C16: one at a time in the main thread, beside another that keeps the connection alive; else by workers."""
    threads = set(threading.enumerate())
    server = BaseServer(replace(SERVER, concurrency=concurrency))
    found: list[tuple[bool, int]] = []

    def look() -> int:
        added = set(threading.enumerate()) - threads
        found.append((server._workers is None, len(added)))
        assert (server._keep_alive is None) is not in_main_thread
        return 5

    monkeypatch.setattr(server, "_run", look)
    assert server.run() == 5
    assert found == [(in_main_thread, 1 if in_main_thread else concurrency)]
    assert set(threading.enumerate()) == threads


def test_connection_is_kept_alive_in_a_job(build: Build) -> None:
    """C16: in a long job another thread reads, unless the main thread does, for which it keeps an error."""
    server, link = build()
    with server._lock:
        server._service_connection()
    assert link.told == []
    server._service_connection()
    assert link.told == ["look"]
    lost = ConnectionResetError()

    def lose() -> None:
        raise lost

    link.on_read = lose
    server._service_connection()
    server._service_connection()  # no more of it is read
    assert link.told == ["look", "look"]
    assert server._lost is lost
    server._link = server._lost = None  # while the main thread connects
    server._service_connection()
    assert server._lost is None
    assert not server._lock.locked()


@pytest.mark.parametrize("workers", [False, True])
def test_server_that_stops_gives_back_what_nobody_began(build: Build, workers: bool) -> None:
    """C17: it takes no more; what waits is given back, in order, and what is being computed is waited for."""
    server, link = build()
    begun, *waiting = (request(delivery=n) for n in range(3))
    if workers:
        server._workers = SimpleNamespace(drain_unstarted=lambda: waiting)  # type: ignore[assignment]
    else:
        server._waiting.extend(waiting)
    server._held.update([begun, *waiting])
    server._stop()
    server._stop()  # as at a second signal
    assert link.told == ["cancel", "give back 1", "give back 2"]
    assert server._held == {begun}
    assert not server._waiting


def test_stopping_server_gives_back_what_still_comes(build: Build) -> None:
    """C17: what was on its way when the server was told to stop goes back, and is not waited for."""
    server, link = build()
    server._stopping = True
    server._on_request(request())
    assert link.told == ["give back 1"]
    assert not server._held
    assert not server._waiting


def test_reply_that_is_not_sent_is_not_logged(
    build: Build, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """C5: a request that expired is acknowledged without a reply; and one without an address, with none to log."""
    caplog.set_level(logging.DEBUG)
    Clock().stop(monkeypatch, server_module)
    server, link = build()
    server._on_request(replace(request(delivery=1), expiration="0"))
    server._on_request(replace(request(delivery=2), reply_to=None))
    server._on_request(request(delivery=3))
    server._compute_waiting()
    assert link.told == ["reply None to 1", "reply 1 to 2", "reply 1 to 3"]
    assert [message for message in caplog.messages if "reply" in message] == ["-> reply id: b'1'"]


@pytest.mark.parametrize("slow", [False, True])
def test_replies_wait_a_moment_for_each_other(
    build: Build, slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C14: replies to what was delivered together are sent together, but none is held back by slow jobs."""
    clock = Clock().stop(monkeypatch, server_module)

    def compute(n: int) -> int:
        clock.now += HOLD_BACK * (1.5 if slow else 0.3)
        return n

    server, link = build(function=compute, prefetch=3)
    for n in range(3):
        server._on_request(request(str(n).encode(), n))
    server._compute_waiting()
    replies = [f"reply {n} to {n}" for n in range(3)]
    assert link.told == ([replies[0], "look", replies[1], "look", replies[2]] if slow else replies)


def test_workers_of_a_lost_connection_have_their_share(build: Build) -> None:
    """C15: a server takes as many requests as workers are free, and more as those end that compute in vain."""
    server, link = build(concurrency=3, prefetch=6)
    lost = [request(delivery=n) for n in range(3)]
    for busy, consumed in ((0, ["consume 6"]), (1, ["consume 4"]), (3, [])):
        link.told.clear()
        server._running = set(lost[:busy])
        server._consume()
        assert link.told == consumed
    held = request(delivery=3)
    server._held.add(held)
    for each in (*lost, held):
        server._work(each)
    assert not server._running
    server._reply_to_answered()
    assert link.told == ["wake"] * 4 + ["consume 2"] * 3 + ["reply 1 to 3"]


# -- fork() ----------------------------------------------------------------------------------------------


class Sockets:
    """What has several sockets, one of which is closed."""

    def __init__(self, *sockets: socket.socket) -> None:
        self.sockets = sockets

    def descriptors(self) -> list[int]:
        """Return their descriptors."""
        return [-1, *(each.fileno() for each in self.sockets)]


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_child_lets_go_of_sockets() -> None:
    """C2, C11: in a forked child they lead to /dev/null, and nothing is added; the parent keeps its own."""
    nowhere = os.stat(os.devnull).st_rdev
    with socket.socket() as alone, socket.socket() as among, socket.socket() as other:
        several = Sockets(among)
        close_in_child(alone)
        close_in_child(several)
        open_before = psutil.Process().num_fds()
        pid = os.fork()
        if pid == 0:
            led = [os.fstat(each.fileno()).st_rdev == nowhere for each in (alone, among, other)]
            added = psutil.Process().num_fds() - open_before
            os._exit(0 if (led, added) == ([True, True, False], 0) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert os.fstat(alone.fileno()).st_rdev != nowhere
