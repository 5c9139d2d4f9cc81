"""C1 to C8: what a caller gets, and when; and C21, C22: what the client keeps and counts."""

import asyncio
import gc
import os
import random
import signal
import sys
import threading
import time
import weakref
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pika.exceptions import ChannelClosedByBroker

from conftest import Connect, OpenBroker, Serve
from contract import (
    MAX_N,
    InvalidRequest,
    RpcClient,
    RpcClosed,
    RpcConnectionLost,
    RpcError,
    RpcServerUnavailable,
    RpcTimeout,
    fib,
)
from harness.functions import logged_calls
from tests.load import LATE
from tests.running import NOWHERE
from tests.systems import needs_signals
from tests.waiting import (
    call_until_served,
    idle,
    messages_ready,
    take_request,
    wait_until,
    wait_until_no_more,
)


def ended(future: "Future[int]") -> threading.Event:
    """Return an event that is set when the future ends, without anybody waiting on the future."""
    event = threading.Event()
    future.add_done_callback(lambda _: event.set())
    return event


# -- C1, C2, C3 -----------------------------------------------------------------------------------------


def test_results_are_exact(serve: Serve, client: RpcClient) -> None:
    """C1: the exact int for every n in range, the ends included."""
    serve()
    numbers = [0, 1, 2, 30, 93, 94, MAX_N - 1, MAX_N, *random.Random(1).sample(range(MAX_N), 40)]
    for n in numbers:
        result = client.call(n)
        assert type(result) is int
        assert result == fib(n)


def test_replies_find_their_calls(serve: Serve, client: RpcClient) -> None:
    """C2: any number of calls in flight, every caller gets its own answer."""
    serve(prefetch=20)
    futures = {n: client.submit(n % 300) for n in range(1000)}
    assert {n: future.result() for n, future in futures.items()} == {
        n: fib(n % 300) for n in futures
    }


def test_replies_in_any_order(serve: Serve, client: RpcClient) -> None:
    """C2: a reply that overtakes another resolves its own call."""
    serve(function="harness.functions:slow", concurrency=3)
    client.call(0)
    submitted = [client.submit(milliseconds) for milliseconds in (2000, 1000, 1)]
    order = [future.result() for future in as_completed(submitted)]
    assert order == [1, 1000, 2000]
    assert [future.result() for future in submitted] == [2000, 1000, 1]


def test_one_callback_queue(serve: Serve, connect: Connect, open_broker: OpenBroker) -> None:
    """C2: one callback queue per client, declared once."""
    before = open_broker.queue_names()
    serve()
    client = connect()
    client.call(1)
    first = open_broker.queue_names() - before
    for n in range(50):
        client.call(n)
    assert open_broker.queue_names() - before == first
    assert len(first) == 2  # the request queue, and the client's


def test_threads_share_a_client(serve: Serve, client: RpcClient) -> None:
    """C3: eight threads on one client."""
    serve(prefetch=10)

    def work(thread: int) -> list[int]:
        return [client.call(10 * n + thread) for n in range(40)]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(8)))
    assert results == [[fib(10 * n + thread) for n in range(40)] for thread in range(8)]


def test_calls_in_a_row(serve: Serve, connect: Connect) -> None:
    """C2: of thousands of calls, one after the other, none waits for anything but its reply."""
    serve(heartbeat=120)  # long, so that a heartbeat wakes nobody who missed a message
    client = connect(heartbeat=120, timeout=4)
    assert [client.call(n % 50) for n in range(2500)] == [fib(n % 50) for n in range(2500)]


def test_call_beside_others(serve: Serve, client: RpcClient) -> None:
    """C3: threads' calls and futures that begin or end while another thread waits are answered all the same."""
    serve(function="harness.functions:slow", concurrency=3)
    for first, second in ((1000, 1), (600, 1000), (700, 700)):
        assert client.call(0) == 0
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(client.call, first)
            wait_until(lambda: client.stats.in_flight == 1, "the other call")
            future = client.submit(second)
            assert client.call(7, timeout=5) == 7
            assert (future.result(), other.result()) == (second, first)


def test_standard_futures(serve: Serve, client: RpcClient) -> None:
    """C2: the futures are the standard library's: wait, callbacks and asyncio work with them."""
    serve()
    seen: list[int] = []
    future = client.submit(10)
    assert isinstance(future, Future)
    future.add_done_callback(lambda done: seen.append(done.result()))
    done, _ = wait([future, client.submit(11)], return_when=FIRST_COMPLETED, timeout=20)
    assert done

    async def several() -> list[int]:
        return await asyncio.gather(*(asyncio.wrap_future(client.submit(n)) for n in (7, 8, 9)))

    assert asyncio.run(several()) == [13, 21, 34]
    wait_until(lambda: seen == [55], "the callback to run")


def test_submit_from_a_callback(serve: Serve, client: RpcClient) -> None:
    """C3: a future's callback may send the next request."""
    serve()
    second: Future[int] = Future()

    def chain(first: "Future[int]") -> None:
        client.submit(first.result()).add_done_callback(lambda f: second.set_result(f.result()))

    client.submit(10).add_done_callback(chain)
    assert second.result(timeout=20) == fib(55)


@pytest.mark.usefixtures("on_rpc_core")
def test_callback_that_waits(serve: Serve, client: RpcClient) -> None:
    """C4: a callback that waits delays every reply, until it ends."""
    serve(function="harness.functions:slow", prefetch=2)
    waits, go_on = threading.Event(), threading.Event()

    def wait_in_callback(_: "Future[int]") -> None:
        waits.set()
        go_on.wait(20)

    client.submit(200).add_done_callback(wait_in_callback)
    delayed = client.submit(1)
    try:
        assert waits.wait(20)
        assert not wait([delayed], timeout=0.5).done
    finally:
        go_on.set()
    assert delayed.result() == 1


@pytest.mark.usefixtures("on_rpc_core")
def test_callback_that_waits_for_a_future(client: RpcClient) -> None:
    """C4: `submit(...).result()` in the callback of a timeout keeps no deadline, neither its own nor others'."""
    ends: list[float] = []
    begun = time.monotonic()

    def wait_in_callback(_: "Future[int]") -> None:
        with pytest.raises(TimeoutError) as caught:
            client.submit(2, timeout=0.1).result(timeout=1)
        assert caught.type is not RpcTimeout
        ends.append(time.monotonic() - begun)

    client.submit(1, timeout=0.3).add_done_callback(wait_in_callback)
    delayed = client.submit(3, timeout=0.5)
    assert isinstance(delayed.exception(), RpcTimeout)
    assert time.monotonic() - begun >= ends[0] >= 1.3


def test_call_from_a_callback(serve: Serve, client: RpcClient) -> None:
    """C3: a callback that waits, which it should not, ends at its deadline, and spoils nothing."""
    serve(prefetch=10)
    assert client.call(1) == 1
    ends: list[object] = []

    def wait_in_callback(_: "Future[int]") -> None:
        try:
            ends.append(client.call(10, timeout=0.4))
        except RpcTimeout as error:
            ends.append(error)

    for _ in range(3):
        client.submit(2).add_done_callback(wait_in_callback)
    wait_until(lambda: len(ends) == 3, "the callbacks to end")
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(client.call, range(80))) == [fib(n) for n in range(80)]
    assert client.call(10) == 55
    assert client.stats.reconnects == 0


@pytest.mark.parametrize("served", [True, False], ids=["reply", "deadline"])
def test_callback_that_exits(serve: Serve, client: RpcClient, served: bool) -> None:
    """C3: a callback that raises SystemExit ends no thread of the client's."""
    if served:
        serve(function="harness.functions:slow")
    future = client.submit(500, timeout=20 if served else 0.5)
    called = ended(future)
    future.add_done_callback(lambda _: sys.exit())
    assert called.wait(20)
    if not served:
        with pytest.raises(RpcTimeout):
            client.call(2, timeout=0.3)
        serve(function="harness.functions:slow")
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(client.call, range(20))) == list(range(20))
    assert client.submit(10).result() == 10


def test_future_that_somebody_ends(serve: Serve, client: RpcClient) -> None:
    """C3: a future that its owner ends himself is nobody else's loss."""
    for future in (client.submit(1, timeout=0.3), client.submit(2)):
        future.set_result(0)
    with pytest.raises(RpcTimeout):
        client.call(3, timeout=0.6)
    serve()
    assert client.call(10) == 55


# -- C4, C5, C6 -----------------------------------------------------------------------------------------


def test_timeout(serve: Serve, client: RpcClient) -> None:
    """C4: at its deadline a call fails with RpcTimeout, not before; the client goes on working."""
    serve(function="harness.functions:slow")
    client.call(0)
    begun = time.monotonic()
    with pytest.raises(RpcTimeout) as caught:
        client.call(1500, timeout=0.5)
    assert 0.5 <= time.monotonic() - begun < 0.5 + LATE
    assert isinstance(caught.value, TimeoutError)
    assert not isinstance(caught.value, RpcServerUnavailable)
    assert client.call(3) == 3
    assert client.stats.timed_out == 1


def test_timeout_that_nobody_waits_for(serve: Serve, client: RpcClient) -> None:
    """C4: a deadline ends the future also when no thread waits on it."""
    serve(function="harness.functions:slow")
    begun = time.monotonic()
    future = client.submit(2000, timeout=0.4)
    assert ended(future).wait(0.4 + LATE)
    assert time.monotonic() - begun >= 0.4
    assert isinstance(future.exception(), RpcTimeout)


def test_deadlines_of_many_calls(serve: Serve, client: RpcClient) -> None:
    """C4: each call has its own deadline, whatever the order they were made in."""
    serve(function="harness.functions:slow")
    client.call(0)
    client.submit(2500)
    begun = time.monotonic()
    timeouts = [1.5, 0.5, 1.0]
    ends: dict[float, float] = {}

    def note(timeout: float) -> Any:
        return lambda _: ends.setdefault(timeout, time.monotonic() - begun)

    futures = [client.submit(1, timeout=timeout) for timeout in timeouts]
    for timeout, future in zip(timeouts, futures, strict=True):
        future.add_done_callback(note(timeout))
    wait(futures)
    wait_until(lambda: len(ends) == 3, "all callbacks")
    assert sorted(ends, key=lambda timeout: ends[timeout]) == [0.5, 1.0, 1.5]
    assert all(timeout <= end < timeout + LATE for timeout, end in ends.items())


@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), "1", True, 1e9])
def test_impossible_timeout(client: RpcClient, timeout: Any) -> None:
    """C4: there is no infinite wait, and a timeout is a number of seconds."""
    with pytest.raises(ValueError, match="timeout"):
        client.call(1, timeout=timeout)


@pytest.mark.parametrize("timeout", [0, -1.5])
def test_deadline_in_the_past(client: RpcClient, timeout: float) -> None:
    """C4: a call whose time was used up before it was made fails at once."""
    with pytest.raises(RpcTimeout):
        client.call(1, timeout=timeout)


def test_expired_request_leaves_the_queue(client: RpcClient, queue: str, channel: Any) -> None:
    """C5: after the deadline a request does not stay in the queue."""
    with pytest.raises(RpcTimeout):
        client.call(1, timeout=0.5)

    wait_until(lambda: messages_ready(channel, queue) == 0, "the queue to be empty")


def test_expired_request_is_not_computed(serve: Serve, client: RpcClient, tmp_path: Path) -> None:
    """C5: after the deadline no server computes it, whether it waits in the queue or in the server."""
    log = tmp_path / "calls"
    serve(
        function="harness.functions:slow_logged",
        prefetch=3,
        env={"RPC_CALL_LOG": str(log)},
    )
    client.call(0)
    slow = client.submit(2500)
    hopeless = [client.submit(5, timeout=0.4) for _ in range(6)]
    assert all(isinstance(future.exception(), RpcTimeout) for future in hopeless)
    assert slow.result() == 2500
    assert client.call(1) == 1
    assert logged_calls(log) == [0, 2500, 1]


def test_no_server(client: RpcClient) -> None:
    """C6: with no server the call fails at its deadline, as a kind of timeout."""
    assert issubclass(RpcServerUnavailable, RpcTimeout)

    def told() -> bool:
        begun = time.monotonic()
        with pytest.raises(RpcTimeout) as caught:
            client.call(1, timeout=1.0)
        assert 1.0 <= time.monotonic() - begun < 1.0 + LATE
        return caught.type is RpcServerUnavailable

    # on a busy machine the servers may not be counted by the deadline
    assert any(told() for _ in range(4))


def test_no_server_fails_fast(connect: Connect) -> None:
    """C6: with fail_fast=True the call fails within a second, not at its deadline."""
    client = connect(fail_fast=True)
    begun = time.monotonic()
    with pytest.raises(RpcServerUnavailable):
        client.call(1, timeout=8)
    assert time.monotonic() - begun < 1.0 + LATE


def test_fail_fast_with_a_slow_server(serve: Serve, connect: Connect) -> None:
    """C6: fail_fast asks whether anyone serves, not whether the answer is quick."""
    serve(function="harness.functions:slow")
    client = connect(fail_fast=True)
    assert call_until_served(client, 1) == 1
    assert call_until_served(client, 1800) == 1800


def test_server_that_comes_up_in_time(serve: Serve, client: RpcClient) -> None:
    """C6: a server that comes up before the deadline answers the waiting call."""
    future = client.submit(30, timeout=20)
    wait_until(lambda: client.stats.sent == 1, "the request to be sent")
    serve()
    assert future.result() == 832040


def test_busy_server_is_not_an_absent_one(serve: Serve, client: RpcClient) -> None:
    """C6: a call that timed out behind another is not told that nobody serves."""
    serve(function="harness.functions:slow")
    assert client.call(1, timeout=20) == 1
    client.submit(3000)
    with pytest.raises(RpcTimeout) as caught:
        client.call(1, timeout=0.7)
    assert type(caught.value) is RpcTimeout


# -- C7, C8 ---------------------------------------------------------------------------------------------


def test_call_in_the_callback_of_a_timeout(serve: Serve, client: RpcClient) -> None:
    """C4: whoever calls again when a call has timed out has a deadline too, and so have all others."""
    ends: list[object] = []

    def call_again(_: "Future[int]") -> None:
        for timeout in (1.0, 40.0):
            try:
                ends.append(client.call(10, timeout=timeout))
            except RpcTimeout as error:
                ends.append(error)

    client.submit(2, timeout=0.3).add_done_callback(call_again)
    with pytest.raises(RpcTimeout):
        client.call(3, timeout=0.6)
    wait_until(lambda: len(ends) == 1, "the first call in the callback to end")
    assert isinstance(ends[0], RpcTimeout)
    with pytest.raises(RpcTimeout):
        client.call(4, timeout=0.3)
    serve()
    wait_until(lambda: len(ends) == 2, "the second call in the callback to end")
    assert ends[1] == 55


def test_cancel(serve: Serve, client: RpcClient) -> None:
    """C7: cancel() frees the call at once; its reply counts as late."""
    serve(function="harness.functions:slow")
    future = client.submit(1500)
    wait_until(lambda: client.stats.sent == 1, "the request to be sent")
    assert future.cancel()
    assert client.stats.in_flight == 0
    assert wait([future], timeout=5).done == {future}
    wait_until(lambda: client.stats.late == 1, "the late reply")
    assert client.call(2) == 2
    assert client.stats.succeeded == 1


def test_cancel_is_too_late_after_the_answer(serve: Serve, client: RpcClient) -> None:
    """C7: an answered call cannot be cancelled, and keeps its answer."""
    serve()
    future = client.submit(10)
    assert future.result() == 55
    assert not future.cancel()
    assert future.result() == 55


@needs_signals
def test_interrupted_wait(serve: Serve, client: RpcClient) -> None:
    """C7: Ctrl-C ends the wait for a call, which is then cancelled; the client goes on."""
    serve(function="harness.functions:slow")
    for _ in range(2):
        assert client.call(1, timeout=20) == 1
        sent = client.stats.sent

        def interrupt(sent: int = sent) -> None:
            wait_until(lambda: client.stats.sent > sent, "the request to be sent")
            os.kill(os.getpid(), signal.SIGINT)

        interrupting = threading.Thread(target=interrupt)
        interrupting.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                client.call(1500)
        finally:
            with suppress(KeyboardInterrupt):  # one that comes too late would end the run
                interrupting.join()
        assert client.stats.in_flight == 0
    assert client.call(2, timeout=20) == 2


@needs_signals
def test_interrupted_at_any_moment(serve: Serve, client: RpcClient) -> None:
    """C7: wherever Ctrl-C meets a caller, the client goes on, and closes."""
    serve()
    assert client.call(1, timeout=20) == 1
    rng = random.Random(1)
    ready, caught = threading.Semaphore(0), threading.Semaphore(0)
    over = threading.Event()
    caller = threading.get_ident()
    interrupts = 60

    def interrupt() -> None:
        for _ in range(interrupts):
            ready.acquire()
            idle(rng.uniform(0.0, 0.004))
            while not over.is_set():
                signal.pthread_kill(caller, signal.SIGINT)
                if caught.acquire(timeout=10):  # Python swallows one that meets a finaliser
                    break

    interrupting = threading.Thread(target=interrupt, daemon=True)
    interrupting.start()
    try:
        for _ in range(interrupts):
            with suppress(KeyboardInterrupt):
                ready.release()
                while True:
                    with suppress(RpcConnectionLost):
                        client.call(1, timeout=20)
            caught.release()
    finally:
        over.set()
        ready.release(interrupts)
        with suppress(KeyboardInterrupt):  # one that comes too late would end the run
            interrupting.join()
    assert client.call(10, timeout=30) == 55
    client.close()


def test_close_fails_what_is_pending(client: RpcClient) -> None:
    """C8: close() fails pending calls with RpcClosed; later ones too; it may be called again."""
    futures = [client.submit(n) for n in range(5)]
    client.close()
    assert all(isinstance(future.exception(timeout=2), RpcClosed) for future in futures)
    client.close()
    with pytest.raises(RpcClosed):
        client.call(1)
    with pytest.raises(RpcClosed):
        client.submit(1)


def test_close_leaves_nothing(serve: Serve, connect: Connect, open_broker: OpenBroker) -> None:
    """C8: no thread, connection, channel or queue of the client's stays behind."""
    serve()
    before = open_broker.counts()
    threads = set(threading.enumerate())
    for _ in range(3):
        client = connect()
        assert client.call(10) == 55
        assert open_broker.counts()["queues"] > before["queues"]
        client.close()
    wait_until(lambda: set(threading.enumerate()) <= threads, "the client's threads to end")
    wait_until_no_more(open_broker.counts, before)


def test_close_removes_the_callback_queue(client: RpcClient, queue: str, channel: Any) -> None:
    """C8: the callback queue goes with its client."""
    client.submit(1)
    _, properties, _ = take_request(client, channel, queue)

    def refused() -> int:
        probe = channel.connection.channel()
        try:
            probe.queue_declare(properties.reply_to, passive=True)
        except ChannelClosedByBroker as error:
            return int(error.reply_code)
        probe.close()
        return 0

    assert refused() != 404
    client.close()
    wait_until(lambda: refused() == 404, "the callback queue to be gone")


def test_close_at_any_moment(connect: Connect) -> None:
    """C8: close() works while the client is still connecting, and without a broker."""
    threads = set(threading.enumerate())
    for _ in range(5):
        connect().close()
    nowhere = connect(url="amqp://guest:guest@127.0.0.1:1/%2F")
    future = nowhere.submit(1)
    nowhere.close()
    assert isinstance(future.exception(), RpcClosed)
    wait_until(lambda: set(threading.enumerate()) <= threads, "the clients' threads to end")


@pytest.mark.parametrize("while_another_waits", [False, True], ids=["alone", "another waits"])
def test_close_from_a_callback(serve: Serve, client: RpcClient, while_another_waits: bool) -> None:
    """C8: a future's callback may close the client, in whichever thread it runs."""
    serve(function="harness.functions:slow", concurrency=2)
    assert client.call(0) == 0
    closed = threading.Event()

    def close(_: "Future[int]") -> None:
        client.close()
        closed.set()

    if while_another_waits:
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(client.call, 3000)
            wait_until(lambda: client.stats.in_flight == 1, "the other call")
            client.submit(1).add_done_callback(close)
            assert isinstance(other.exception(), RpcClosed)
    else:
        client.submit(1).add_done_callback(close)
    assert closed.wait(20)
    with pytest.raises(RpcError):
        client.call(1)


# -- C21, C22 -------------------------------------------------------------------------------------------


def test_ended_calls_are_forgotten(client: RpcClient) -> None:
    """C21: what the client keeps of calls that ended does not grow with their number."""
    kept: list[weakref.ref[Future[int]]] = []
    for _ in range(10):
        futures = [client.submit(n, timeout=0.05) for n in range(20)]
        kept += [weakref.ref(future) for future in futures]
        wait(futures)
    del futures
    gc.collect()
    # a thread of the client's may hold on to the calls that it dealt with last
    assert sum(future() is not None for future in kept) <= 3 * 20


def test_calls_of_an_outage_are_forgotten(connect: Connect) -> None:
    """C7, C21: a call that is cancelled, or ends, without ever a connection is kept no longer than an attempt."""
    client = connect(NOWHERE)
    kept: list[weakref.ref[Future[int]]] = []
    for timeout in (0.05, 50):
        futures = [client.submit(n, timeout=timeout) for n in range(150)]
        kept += [weakref.ref(future) for future in futures]
        for future in futures:
            assert timeout < 1 or future.cancel()
        wait(futures)
    del future, futures

    def forgotten() -> bool:
        gc.collect()
        return all(each() is None for each in kept)

    wait_until(forgotten, "no call to be kept")


def test_counters(serve: Serve, client: RpcClient) -> None:
    """C22: stats is a snapshot with the contract's names, each an int, of what became of the calls."""
    before = client.stats
    serve(function="harness.functions:slow")
    assert client.call(1) == 1
    with pytest.raises(InvalidRequest):
        client.call(-1)
    with pytest.raises(RpcTimeout):
        client.call(1500, timeout=1)
    wait_until(lambda: client.stats.late == 1, "the late reply")
    future = client.submit(1500)
    wait_until(lambda: client.stats.sent == 4, "the request to be sent")
    assert client.stats.in_flight == 1
    assert future.result() == 1500
    counted = {
        "sent": 4,
        "succeeded": 2,
        "failed": 1,
        "timed_out": 1,
        "late": 1,
        "unknown": 0,
        "malformed": 0,
        "reconnects": 0,
        "in_flight": 0,
    }
    for stats, expected in ((client.stats, counted), (before, dict.fromkeys(counted, 0))):
        assert {name: getattr(stats, name) for name in counted} == expected
        assert all(type(getattr(stats, name)) is int for name in counted)


def test_counters_at_any_moment(connect: Connect) -> None:
    """C22: a signal's handler or a finaliser may read the counters, wherever it interrupts a call being made.

    And submit another call: it must not wait for a lock that the interrupted code holds.
    """
    for options in ({}, {"url": "amqp://127.0.0.1:1"}):  # the second finds no broker
        assert set(seen_at_any_moment(connect(**options))) == {0, 1}


def seen_at_any_moment(client: RpcClient) -> list[int]:
    """Interrupt a submit at each call of a function, and return how often its call was in flight."""
    seen: list[int] = []

    def interrupt(*_: object) -> None:
        seen.append(client.stats.in_flight - len(seen))
        client.submit(1)
        threading.Event().wait(0.01)  # so that the background thread has read meanwhile

    sys.setprofile(interrupt)
    try:
        client.submit(1).cancel()
    finally:
        sys.setprofile(None)
    return seen
