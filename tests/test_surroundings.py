"""C2 to C18 in the surroundings that programs really have: forks, signals, finalisers, limits, far networks."""

import functools
import gc
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, wait
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pika
import psutil
import pytest

from conftest import Connect, OpenBroker, Serve
from contract import (
    RpcClient,
    RpcConnectionLost,
    RpcError,
    RpcServerUnavailable,
    RpcTimeout,
    fib,
)
from harness.broker import PrivateBroker
from harness.implementations import client_class
from harness.program import PROJECT_ROOT
from harness.proxy import Proxy
from rpc_core.pending import PendingCall, PendingCalls
from tests import poison
from tests.load import LATE
from tests.poison import refuse_thread
from tests.systems import needs_fork, needs_limits, needs_signals
from tests.waiting import call_until_served, wait_until

SELF = psutil.Process(os.getpid())


# -- fork() ----------------------------------------------------------------------------------------


def in_child(act: Any) -> str:
    """Return what `act` returns in a child that is forked, or the name of what it raises, and its text."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        try:
            said = str(act())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return said


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_client_from_before_a_fork(serve: Serve, client: RpcClient) -> None:
    """C2: in a forked child a client of its parent's says so at once; the parent notices nothing."""
    serve()
    assert client.call(10) == 55
    for act in (client.call, client.submit):
        begun = time.monotonic()
        said = in_child(lambda act=act: act(20))
        assert said.startswith("RpcClosed: this client was made before a fork()")
        assert time.monotonic() - begun < 5
    assert in_child(client.close) == "None"
    assert [client.call(n) for n in range(20)] == [fib(n) for n in range(20)]
    assert (client.stats.late, client.stats.reconnects) == (0, 0)


@needs_fork
def test_forked_child_holds_no_connection(serve: Serve, client: RpcClient) -> None:
    """C11: a child that the function has forked does not keep its killed server's requests."""
    function = "harness.functions:leaves_child_then_slow"
    server = serve(function=function)
    assert client.call(1) == 1
    child = psutil.Process(int(server.wait_for_output(r"CHILD (\d+)")[1]))
    try:
        future = client.submit(1500, timeout=25)
        wait_until(lambda: client.stats.sent == 2, "the request to be sent")
        serve(function=function)
        os.kill(server.pid, signal.SIGKILL)  # and not the processes that it has started
        assert future.result() == 1500
    finally:
        with suppress(psutil.NoSuchProcess):
            child.kill()


# -- what a caller's program does --------------------------------------------------------------------


def test_submit_in_a_finaliser(serve: Serve, client: RpcClient) -> None:
    """C4: an object's finaliser may submit, wherever in a call the garbage collector runs it."""
    serve(prefetch=20)
    assert client.call(1) == 1
    submitted: list[Future[int]] = []

    class Cycle:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            submitted.append(client.submit(7))

    threshold = gc.get_threshold()
    gc.set_threshold(30, 2, 2)
    try:
        for n in range(300):
            Cycle()
            assert client.call(n) == fib(n)
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    assert len(submitted) >= 300
    assert {future.result() for future in submitted} == {fib(7)}


class Alarm(Exception):
    """What a signal's handler raises."""


def raise_alarm(*_: object) -> None:
    """Handle a signal."""
    raise Alarm


def raise_timeout(*_: object) -> None:
    """Handle a signal with an error that a connection could raise as well."""
    raise TimeoutError("mine")


def raise_once(number: int, _: object) -> None:
    """Handle a signal, and no further one."""
    signal.signal(number, signal.SIG_DFL)
    raise Alarm


class Handlers:
    """Callables of other kinds."""

    def __call__(self, *_: object) -> None:
        """Handle a signal."""
        raise Alarm

    def method(self, *_: object) -> None:
        """Handle a signal."""
        raise Alarm


@pytest.mark.parametrize(
    "handler",
    [
        raise_alarm,
        raise_timeout,
        raise_once,
        Handlers(),
        Handlers().method,
        functools.partial(raise_alarm),
    ],
    ids=["function", "TimeoutError", "once", "object", "method", "partial"],
)
@needs_signals
def test_signal_handler_that_raises(serve: Serve, client: RpcClient, handler: Any) -> None:
    """C7: what a signal's handler raises reaches the caller, and costs nothing but that call."""
    serve(function="harness.functions:slow")
    for _ in range(3):
        assert client.call(1, timeout=20) == 1
    before = signal.signal(signal.SIGUSR1, handler)
    caller = threading.get_ident()
    sent = client.stats.sent

    def interrupt() -> None:
        wait_until(lambda: client.stats.sent > sent, "the request to be sent")
        threading.Event().wait(0.2)  # so that the caller waits for its reply
        signal.pthread_kill(caller, signal.SIGUSR1)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    try:
        with pytest.raises((Alarm, TimeoutError)) as caught:
            client.call(1500, timeout=20)
    finally:
        interrupting.join()
        signal.signal(signal.SIGUSR1, before)
    assert not isinstance(caught.value, RpcError)
    assert client.call(2, timeout=20) == 2
    assert client.stats.reconnects == 0


def test_callbacks_that_call_at_one_deadline(client: RpcClient) -> None:
    """C4: a hundred callbacks that call again at one deadline all get an answer, and no RecursionError."""
    ends: list[BaseException | None] = []

    def call_again(_: "Future[int]") -> None:
        try:
            client.call(1, timeout=0.05)
        except BaseException as error:
            ends.append(error)

    for _ in range(100):
        client.submit(1, timeout=0.5).add_done_callback(call_again)
    wait_until(lambda: len(ends) == 100, "all callbacks to end", 40)
    assert {type(end) for end in ends} <= {RpcTimeout, RpcServerUnavailable}


@pytest.mark.parametrize("name", [None, 7, "", "x" * 256, "with a return\r", "with\na line"])
def test_impossible_queue(backend: str, name: Any) -> None:
    """Names: a name that no queue can have is refused at once; some the broker would change in silence."""
    threads = threading.active_count()
    with pytest.raises(ValueError, match="queue"):
        client_class(backend)(queue=name)
    assert threading.active_count() == threads


def test_constructor_that_gets_no_thread(
    backend: str, url: str, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C8: a constructor that fails leaves no thread and no descriptor behind."""
    start = threading.Thread.start
    started = iter(range(1000))

    def every_other(thread: threading.Thread) -> None:
        (refuse_thread if next(started) % 2 else start)(thread)

    before = SELF.num_fds(), threading.active_count()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", every_other)
        for _ in range(10):
            with pytest.raises(RuntimeError, match="thread"):
                client_class(backend)(url, queue=queue)
    gc.collect()
    wait_until(
        lambda: (SELF.num_fds(), threading.active_count()) <= before, "nothing to be left behind"
    )


# -- connecting again --------------------------------------------------------------------------------


def test_log_that_cannot_be_written(
    serve: Serve, client: RpcClient, open_broker: OpenBroker
) -> None:
    """C12: a logging handler that raises ends no thread of the client's."""
    serve()
    assert client.call(10) == 55
    handler = poison.RaisingHandler()
    logging.getLogger().addHandler(handler)
    try:
        open_broker.close_all_connections("test")
        wait_until(lambda: client.stats.reconnects >= 1, "the client to be back", 30)
        assert client.call(11, timeout=30) == 89
    finally:
        logging.getLogger().removeHandler(handler)


def test_no_thread_to_connect_with(
    serve: Serve,
    client: RpcClient,
    open_broker: OpenBroker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """C12: whatever an attempt to connect raises is a failed attempt: the next may succeed."""
    serve()
    assert client.call(10) == 55

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse_thread)
        open_broker.close_all_connections("test")
        wait_until(lambda: "next attempt in" in caplog.text, "the loss to be noticed")
        threading.Event().wait(0.6)  # one attempt at least
    assert client.call(11, timeout=30) == 89
    client.close()


def test_refusal_that_passes(serve: Serve, client: RpcClient, open_broker: OpenBroker) -> None:
    """C18: a server that has served goes on trying after a refusal, which may be one that passes."""
    server = serve()
    assert client.call(10) == 55
    with open_broker.limit_connections(0):
        open_broker.close_all_connections("test")
        server.wait_for_output("(next attempt in(.|\n)*){3}", 30)
    assert server.running
    server.wait_for_output("(Awaiting RPC requests(.|\n)*){2}", 30)
    wait_until(lambda: answers(client), "an answer", 40)


def answers(client: RpcClient) -> bool:
    """Whether a call is answered, and rightly."""
    with suppress(RpcError):
        return client.call(11, timeout=5) == 89
    return False


def test_queue_that_is_locked(connect: Connect, serve: Serve, url: str, queue: str) -> None:
    """C6: a call that could not be sent says what was in the way; when that is gone the client works."""
    holder = pika.BlockingConnection(pika.URLParameters(url))
    holder.channel().queue_declare(queue, durable=True, exclusive=True)
    client = connect()
    with pytest.raises(RpcTimeout, match="RESOURCE_LOCKED"):
        client.call(1, timeout=2)
    holder.close()
    serve()
    assert client.call(10, timeout=30) == 55


def test_queue_deleted_under_a_client(
    serve: Serve, client: RpcClient, queue: str, channel: Any
) -> None:
    """C6, C12: a request that found no queue is sent again, to the queue that is declared again."""
    first = client.submit(1, timeout=50)
    wait_until(lambda: client.stats.sent == 1, "the client to be connected")
    first.cancel()
    channel.queue_delete(queue)
    future = client.submit(30, timeout=30)
    wait_until(lambda: client.stats.sent == 2, "the request to be sent")
    serve()
    assert future.result() == 832040
    assert client.stats.sent == 2  # the second time it is the same request
    channel.queue_delete(queue)  # under the server too
    assert client.call(11, timeout=30) == 89
    assert client.stats.reconnects == 0


@pytest.mark.parametrize("fail_fast", [False, True])
def test_request_returned_twice(fail_fast: bool) -> None:
    """C6: a call that found no queue, not the second time either, ends as one that nobody serves."""
    again: list[PendingCall] = []
    asked: list[None] = []
    pending = PendingCalls(
        fail_fast=fail_fast,
        request_consumer_count=lambda: asked.append(None),
        on_timed_out=lambda: None,
        send_again=again.append,
    )
    call, other = pending.add(b"1", 0.6), pending.add(b"1", 0.05)
    for each in (call, other):
        each.sent = True
        pending.on_returned(each.correlation_id)
    assert again == [call, other]
    call.sent = True
    pending.on_returned(call.correlation_id)
    assert again == [call, other]
    if fail_fast:
        assert isinstance(call.future.exception(0), RpcServerUnavailable)
    pending.start()
    for each in (call, other):  # the other's time was over before it could be sent again
        assert "no server consumes" in str(each.future.exception(5))
    pending.close()


def test_callback_queue_deleted(
    serve: Serve, connect: Connect, queue: str, private_broker: PrivateBroker
) -> None:
    """C12: a client whose callback queue was deleted makes another, and goes on."""
    before = private_broker.queue_names()
    serve()
    client = connect()
    assert client.call(10) == 55
    (callback_queue,) = private_broker.queue_names() - before - {queue}
    private_broker.delete_queue(callback_queue)
    wait_until(lambda: client.stats.reconnects >= 1, "the client to be back", 30)
    assert client.call(11, timeout=30) == 89


# -- servers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 2])
def test_server_cut_off_in_a_job(
    serve: Serve, client: RpcClient, url: str, concurrency: int
) -> None:
    """C15: a server whose connection is lost takes nothing that it cannot begin, beside an idle server."""
    options = {"function": "harness.functions:slow", "concurrency": concurrency}
    with Proxy.for_url(url) as proxy:
        cut_off = serve(url=proxy.url, **options)
        assert client.call(1) == 1
        long = [client.submit(8000, timeout=30) for _ in range(concurrency)]
        wait_until(lambda: client.stats.sent == 1 + concurrency, "the requests to be sent")
        threading.Event().wait(0.5)  # until they are computed
        serve(**options)  # which takes the requests over
        serve(**options)  # which is idle
        proxy.cut()
        if concurrency > 1:
            cut_off.wait_for_output("(Awaiting RPC requests(.|\n)*){2}", 20)
        wait_until(lambda: all(client.call(n, timeout=5) == n for n in (1, 2, 3)), "answers")
        assert [client.call(n, timeout=4) for n in range(6)] == list(range(6))
        for future in long:
            future.cancel()


@pytest.mark.parametrize("harm", ["take_threads", "break_log"])
@pytest.mark.parametrize("concurrency", [1, 2])
def test_server_reconnects_in_spite_of(
    serve: Serve, client: RpcClient, open_broker: OpenBroker, harm: str, concurrency: int
) -> None:
    """C18: a server that gets no thread for a while, or whose log cannot be written, connects again."""
    server = serve(function=f"tests.poison:{harm}", concurrency=concurrency)
    assert client.call(0) == 0
    open_broker.close_all_connections("test")
    server.wait_for_output("(Awaiting RPC requests(.|\n)*){2}", 20)
    assert call_until_served(client, 11) == 11
    assert server.terminate() == 0


def test_nothing_unclosed(backend: str, serve: Serve, url: str, queue: str) -> None:
    """C8: client and server close what they opened: Python's development mode finds nothing."""
    server = serve(env={"PYTHONDEVMODE": "1"})
    command = [sys.executable, "-X", "dev", "-m", f"{backend}.rpc_client"]
    done = subprocess.run(
        [*command, "--url", url, "--queue", queue, "20"], capture_output=True, text=True, timeout=60
    )
    assert "Got 6765" in done.stdout
    assert "ResourceWarning" not in done.stderr
    assert server.terminate() == 0
    assert "ResourceWarning" not in server.output


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at Linux's /proc")
def test_idle_server_sleeps(serve: Serve, client: RpcClient) -> None:
    """C21: an idle server wakes less than twice a second, in all its threads together."""
    server = serve()
    assert client.call(10) == 55

    def wakes() -> int:
        found = 0
        for status in Path(f"/proc/{server.pid}/task").glob("*/status"):
            found += int(
                re.findall(r"^voluntary_ctxt_switches:\s*(\d+)", status.read_text(), re.M)[0]
            )
        return found

    def wakes_while_idle() -> int:
        before = wakes()
        threading.Event().wait(2)
        return wakes() - before

    assert any(wakes_while_idle() < 4 for _ in range(4))


def test_replies_are_not_held_back(serve: Serve, client: RpcClient) -> None:
    """C4: with requests waiting in the server, a reply goes out when it is there."""
    serve(function="harness.functions:slow", prefetch=20)
    assert client.call(1) == 1

    def first_is_early() -> bool:
        futures = [client.submit(20) for _ in range(10)]
        futures[0].result()
        done = sum(future.done() for future in futures)
        wait(futures)
        return done <= 3

    assert any(first_is_early() for _ in range(5))


@needs_limits
def test_server_with_many_descriptors(
    serve: Serve, client: RpcClient, tmp_path: Any, open_broker: OpenBroker
) -> None:
    """C18: descriptors over 1,023, which select() does not know, are no obstacle to serve, reconnect and stop."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    (tmp_path / "many.py").write_text(
        "held = [open('/dev/null') for _ in range(1100)]\ndef f(n):\n    return n\n"
    )
    places = [str(tmp_path), str(PROJECT_ROOT), os.environ.get("PYTHONPATH", "")]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    try:
        server = serve(function="many:f", env={"PYTHONPATH": os.pathsep.join(filter(None, places))})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert client.call(3) == 3
    open_broker.close_all_connections("test")
    server.wait_for_output("(Awaiting RPC requests(.|\n)*){2}", 30)
    wait_until(lambda: client.stats.reconnects >= 1, "the client to be back")
    assert client.call(4, timeout=30) == 4
    assert server.terminate(20) == 0


# -- networks ----------------------------------------------------------------------------------------


def test_silent_tls_listener(backend: str, queue: str) -> None:
    """C8: close() ends though a listener accepts a TLS connection and says nothing in it."""
    threads = set(threading.enumerate())
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        client = client_class(backend)(
            f"amqps://guest:guest@127.0.0.1:{listener.getsockname()[1]}/%2F", queue=queue
        )
        accepted, _ = listener.accept()
        stack.enter_context(accepted)
        with pytest.raises(RpcServerUnavailable):
            client.call(1, timeout=0.5)
        begun = time.monotonic()
        client.close()
        assert time.monotonic() - begun < 7 + LATE
    wait_until(lambda: set(threading.enumerate()) <= threads, "the client's threads to end")


def test_fail_fast_over_a_slow_network(serve: Serve, connect: Connect, url: str) -> None:
    """C6: with a round trip of 200 ms the answer about consumers is waited for, and right."""
    with Proxy.for_url(url) as proxy:
        client = connect(proxy.url, fail_fast=True)
        with pytest.raises(RpcServerUnavailable, match="no server"):
            client.call(1)  # connects
        proxy.delay(0.1)
        with pytest.raises(RpcServerUnavailable, match="no server"):
            client.call(1, timeout=8)
        serve(function="harness.functions:slow")
        assert call_until_served(client, 1) == 1
        assert client.call(1500, timeout=20) == 1500


def test_question_that_was_lost(
    serve: Serve, connect: Connect, url: str, open_broker: OpenBroker
) -> None:
    """C6: when a connection is lost with the question about consumers in it, it is asked again."""
    serve(function="harness.functions:slow")
    with Proxy.for_url(url) as proxy:
        client = connect(proxy.url, fail_fast=True)
        assert call_until_served(client, 1) == 1
        proxy.black_hole()
        lost = client.submit(2000, timeout=20)
        threading.Event().wait(0.8)  # it asks after half a second
        proxy.cut()
        assert isinstance(lost.exception(), RpcConnectionLost)
        proxy.heal()
        wait_until(lambda: client.stats.reconnects >= 1, "the client to be back", 30)
        assert call_until_served(client, 1500) == 1500


def test_upper_case_address(serve: Serve, connect: Connect, url: str) -> None:
    """Names: the scheme of an address may be written in capitals."""
    serve()
    assert connect(url.replace("amqp:", "AMQP:")).call(10) == 55
