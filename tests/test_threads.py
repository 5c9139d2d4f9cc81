"""Which thread reads, computes, and keeps a connection alive: the machinery alone, without a broker."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rpc_core import server as server_module
from rpc_core.limits import KEEP_ALIVE_INTERVAL, STEP_ASIDE
from rpc_core.pending import PendingCall
from rpc_core.reading import Reading, SignalSafeEvent
from rpc_core.server import Request
from rpc_core.waking import Waker
from rpc_core.workers import KeepAlive, Workers, start_threads
from tests.clock import Clock
from tests.poison import refuse_thread
from tests.waiting import idle, wait_until

# -- reading (C3) ----------------------------------------------------------------------------------------


def new_call() -> PendingCall:
    """Return a call that nobody answers but the test."""
    return PendingCall("id", b"1", 0, 0)


class Connection:
    """What a caller does with a connection, and what comes of it."""

    def __init__(self, *reads: Callable[[], object]) -> None:
        self.sent: list[PendingCall] = []
        self.readers: list[int] = []
        self.waits = False
        self._reads = list(reads)

    def send(self, call: PendingCall) -> None:
        """Send a call."""
        self.sent.append(call)

    def read(self) -> None:
        """Do what is next to be read."""
        self.readers.append(threading.get_ident())
        self._reads.pop(0)()

    def use(self, reading: Reading, call: PendingCall) -> bool:
        """Be a caller."""
        return reading.use_until_done(call, self.send, self.read, lambda: self.waits)


@pytest.fixture
def reading() -> Iterator[Reading]:
    """The right to read, of a background thread that has stepped aside for good."""
    right = Reading()
    begun, over = threading.Event(), threading.Event()

    def background() -> None:
        right.begin()
        right._background_must_read.clear()
        right._right.release()
        begun.set()
        over.wait(30)
        right._right.acquire()
        right.end()

    thread = threading.Thread(target=background)
    thread.start()
    assert begun.wait(10)
    yield right
    over.set()
    thread.join(10)
    assert not thread.is_alive()  # and so the right was free in the end


def test_caller_that_is_alone(reading: Reading) -> None:
    """C3: a caller sends and reads by itself until its call is done, and no longer."""
    call = new_call()
    connection = Connection(lambda: None, lambda: call.future.set_result(1))
    assert connection.use(reading, call)
    assert connection.sent == [call]
    assert connection.readers == [threading.get_ident()] * 2


def test_background_that_must_read(reading: Reading) -> None:
    """C3: a caller neither sends nor reads when the background thread has to; one that reads stops."""
    connection = Connection(reading.hand_to_background)
    assert connection.use(reading, new_call())
    assert len(connection.readers) == 1
    assert not connection.use(reading, new_call())
    assert len(connection.sent) == 1


def test_second_caller(reading: Reading) -> None:
    """C3: while one caller reads another is told to leave it to the background thread."""
    first, second, connection = new_call(), new_call(), Connection()
    results: list[bool] = []

    def read() -> None:
        with ThreadPoolExecutor(1) as pool:
            results.append(pool.submit(connection.use, reading, second).result(10))
        first.future.set_result(1)

    connection._reads = [read]
    assert connection.use(reading, first)
    assert results == [False]
    assert connection.sent == [first]


def test_caller_in_a_callback(reading: Reading) -> None:
    """C3: a callback that calls in a thread that reads is told not to read: it would never return."""
    first, second, connection = new_call(), new_call(), Connection()
    inner: list[Any] = []

    def read() -> None:
        inner.append((connection.use(reading, second), reading.is_mine()))
        first.future.set_result(1)

    connection._reads = [read]
    assert connection.use(reading, first)
    assert inner == [(False, True)]
    assert not reading.is_mine()
    assert connection.sent == [first]


class Alarm(BaseException):
    """What a signal's handler may raise."""


def fail(error: BaseException) -> Callable[[], None]:
    """Return what raises an error."""

    def act() -> None:
        raise error

    return act


def ends_in_the_background(reading: Reading) -> BaseException | None:
    """Return what the background thread meets when it takes over."""
    met: list[BaseException | None] = []

    def background() -> None:
        reading._right.acquire()
        try:
            reading.step_aside(lambda: False)
            met.append(None)
        except ConnectionError as error:
            met.append(error)
        finally:
            reading._right.release()

    thread = threading.Thread(target=background)
    thread.start()
    thread.join(10)
    [error] = met
    return error


def test_error_in_mid_frame(reading: Reading) -> None:
    """C12: an error that a caller meets while it reads ends the connection, and its call with it."""
    error = ConnectionResetError("gone")
    assert Connection(fail(error)).use(reading, new_call())
    assert reading._background_must_read.is_set()
    assert ends_in_the_background(reading) is error
    assert ends_in_the_background(reading) is None  # once


def test_interruption_in_mid_frame(reading: Reading) -> None:
    """C7: Ctrl-C while a caller handles something reaches it, and ends the connection: half a frame is lost."""
    with pytest.raises(Alarm):
        Connection(fail(Alarm())).use(reading, new_call())
    met = ends_in_the_background(reading)
    assert type(met) is ConnectionAbortedError
    assert "Alarm" in str(met)


def test_interruption_while_sending(reading: Reading) -> None:
    """C7: Ctrl-C while a caller sends ends the connection, also when its `read` would only wait."""
    connection = Connection()
    connection.waits = True

    def send(_: PendingCall) -> None:
        raise Alarm

    with pytest.raises(Alarm):
        reading.use_until_done(new_call(), send, connection.read, lambda: True)
    assert type(ends_in_the_background(reading)) is ConnectionAbortedError


@pytest.mark.parametrize(
    "error", [Alarm(), TimeoutError("mine")], ids=["interrupt", "handler's own"]
)
def test_interruption_of_a_wait(reading: Reading, error: BaseException) -> None:
    """C7: what is raised while a caller only waits is its own, and costs no connection."""
    connection = Connection(fail(error))
    connection.waits = True
    with pytest.raises(type(error)) as caught:
        connection.use(reading, new_call())
    assert caught.value is error
    assert not reading._background_must_read.is_set()
    assert ends_in_the_background(reading) is None


def test_stepping_aside() -> None:
    """C3: the background thread lets callers in when no reply is awaited, for a moment, or until it must read."""
    reading, call = Reading(), new_call()
    connection = Connection(lambda: call.future.set_result(1))
    used = threading.Event()

    def background() -> None:
        reading.begin()
        reading.step_aside(lambda: False)  # a reply is awaited
        aside.set()
        while not used.is_set():
            reading.step_aside(lambda: True)
        reading.hand_to_background()
        reading.end()

    aside = threading.Event()
    assert not connection.use(reading, new_call())  # it has to read first
    thread = threading.Thread(target=background)
    thread.start()
    assert aside.wait(10)
    wait_until(lambda: connection.use(reading, call), "its turn")
    used.set()
    thread.join(10)
    assert not thread.is_alive()
    assert connection.sent == [call]


def test_time_for_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    """C3: a background thread that steps aside comes back when for `STEP_ASIDE` nobody has called."""
    reading, waits, calls = Reading(), list[float](), 3

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) <= calls:
            call = new_call()
            connection = Connection(lambda: call.future.set_result(1))
            assert pool.submit(connection.use, reading, call).result(10)

    monkeypatch.setattr(reading._background_must_read, "wait", wait)
    reading.begin()
    with ThreadPoolExecutor(1) as pool:
        reading.step_aside(lambda: True)
    assert waits == [STEP_ASIDE] * (calls + 1)
    reading.end()


def test_background_that_awaits_a_reply() -> None:
    """C3: while a reply is awaited the background thread keeps the right to itself."""
    reading = Reading()
    reading.begin()
    with ThreadPoolExecutor(1) as pool:
        reading.step_aside(lambda: False)
        assert not reading._background_must_read.is_set()
        assert pool.submit(Connection().use, reading, new_call()).result(10) is False
    assert reading.is_mine()
    reading.end()
    assert not reading.is_mine()


def test_event() -> None:
    """C7: the event that Ctrl-C cannot break is set, unset, and waited for like any other."""
    event = SignalSafeEvent()
    assert not event.is_set()
    event.wait(0.01)
    assert not event.is_set()
    for _ in range(2):
        event.set()
        assert event.is_set()
        event.wait(10)
        assert event.is_set()
    for _ in range(2):
        event.clear()
        assert not event.is_set()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(event.wait, 20)
        event.set()
        waiting.result(10)
        event.clear()
        waiting = pool.submit(event.wait)  # for ever
        with pytest.raises(TimeoutError):
            waiting.result(1.2)
        event.set()
        waiting.result(10)
    assert event.is_set()


def test_event_when_the_lock_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """C3: an event stays set while the thread that was woken gets to run; Python 3.14 gives it the lock before."""
    woken, goes_on = threading.Event(), threading.Event()

    class Lock:
        def __init__(self) -> None:
            self._lock = lock()
            self.release, self.locked = self._lock.release, self._lock.locked

        def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
            acquired = self._lock.acquire(blocking, timeout)
            if threading.current_thread() is not threading.main_thread():
                woken.set()
                goes_on.wait(10)
            return acquired

    lock = threading.Lock
    monkeypatch.setattr(threading, "Lock", Lock)
    event = SignalSafeEvent()
    monkeypatch.undo()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(event.wait, 10)
        event.set()
        assert woken.wait(10)
        assert event.is_set()
        goes_on.set()
        waiting.result(10)
    assert event.is_set()


def test_waker() -> None:
    """C3: a wait is ended once, for all that is put meanwhile; and again after it was noted."""
    ended: list[int] = []
    waker = Waker(lambda: ended.append(1))
    for wakes in range(1, 3):
        waker.wake()
        waker.wake()
        assert len(ended) == wakes
        waker.awake()


def test_waker_that_is_interrupted() -> None:
    """C7: Ctrl-C while a wait is being ended leaves it to the next who wakes; what is closed needs no end."""
    errors: list[BaseException] = [OSError(), KeyboardInterrupt()]
    ended: list[int] = []

    def end_wait() -> None:
        if errors:
            raise errors.pop()
        ended.append(1)

    waker = Waker(end_wait)
    with pytest.raises(KeyboardInterrupt):
        waker.wake()
    waker.wake()
    assert not errors
    waker.wake()
    assert not ended
    waker.awake()
    waker.wake()
    assert ended


# -- workers (C15, C17) ----------------------------------------------------------------------------------


def test_workers_in_order() -> None:
    """C15: one worker runs jobs in order; close() waits until all are done, and ends the threads."""
    done: list[int] = []
    workers = Workers(done.append, 1)
    for job in range(100):
        workers.put(job)
    workers.close()
    assert done == list(range(100))
    assert not any(thread.is_alive() for thread in workers._threads)
    assert all(thread.daemon for thread in workers._threads)  # who does not close may end as well


def test_workers_at_once() -> None:
    """C15: so many jobs run at once as there are workers, and no more."""
    gate, running = threading.Event(), threading.Semaphore(0)

    def job(_: int) -> None:
        running.release()
        gate.wait(20)

    workers = Workers(job, 3)
    for number in range(5):
        workers.put(number)
    for _ in range(3):
        assert running.acquire(timeout=10)
    assert not running.acquire(timeout=0.1)
    assert workers.drain_unstarted() == [3, 4]
    assert workers.drain_unstarted() == []
    gate.set()
    workers.close()
    assert not running.acquire(timeout=0)


@pytest.fixture
def kept() -> Iterator[tuple[KeepAlive, list[int]]]:
    """What keeps a connection alive, and the threads in which it was looked after."""
    looks: list[int] = []
    keep_alive = KeepAlive(lambda: looks.append(threading.get_ident()))
    yield keep_alive, looks
    keep_alive.close()
    assert not keep_alive._thread.is_alive()


def test_pool_starts_its_threads_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """C18: a pool with all its threads needs no other, so it takes jobs where none can be started."""
    together = threading.Barrier(4)
    with ThreadPoolExecutor(3) as pool:
        start_threads(pool, 3)
        monkeypatch.setattr(threading.Thread, "start", refuse_thread)
        jobs = [pool.submit(together.wait, 10) for _ in range(3)]
        together.wait(10)
        assert len({job.result(10) for job in jobs}) == 3  # each had a thread of its own


def test_pool_that_gets_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own error says so at once, and the threads that it got do not wait for the others."""
    start, refusing = threading.Thread.start, iter([False, True])
    monkeypatch.setattr(
        threading.Thread,
        "start",
        lambda thread: (refuse_thread if next(refusing) else start)(thread),
    )
    with ThreadPoolExecutor(2) as pool, pytest.raises(RuntimeError, match="can't start"):
        start_threads(pool, 2)


def test_keep_alive(kept: tuple[KeepAlive, list[int]]) -> None:
    """C16: while the main thread computes another looks after the connection, in short intervals."""
    keep_alive, looks = kept
    for _ in range(3):  # it sleeps in between, and is woken
        looks.clear()
        with keep_alive:
            wait_until(lambda: len(looks) >= 3, "three looks", 20 * KEEP_ALIVE_INTERVAL)
        wait_until(lambda: keep_alive._asleep, "it to sleep", 5)
        before = len(looks)
        idle(3 * KEEP_ALIVE_INTERVAL)
        assert len(looks) == before
        assert keep_alive._asleep  # all the time
    assert threading.get_ident() not in looks
    assert keep_alive._thread.daemon


def test_keep_alive_ends() -> None:
    """C17: close() ends the thread, whether it sleeps or not."""
    for sleeps in (False, True):
        keep_alive = KeepAlive(lambda: None)
        if sleeps:
            wait_until(lambda: keep_alive._asleep, "it to sleep", 5)  # noqa: B023
        closing = threading.Thread(target=keep_alive.close, daemon=True)
        closing.start()
        closing.join(5)
        assert not closing.is_alive()
        assert not keep_alive._thread.is_alive()


# -- a server's request (C5) -----------------------------------------------------------------------------


@pytest.mark.parametrize("expiration", ["1500", None, ""])
def test_expired_request(monkeypatch: pytest.MonkeyPatch, expiration: str | None) -> None:
    """C5: a request expires its own time after its delivery, exactly; one without a time never does."""
    clock = Clock().stop(monkeypatch, server_module)
    request = Request(b"1", None, "queue", "id", expiration, 1, clock.now)
    clock.now += 1.499
    assert not request.expired
    clock.now += 0.001
    assert request.expired is bool(expiration)
    clock.now += 1000
    assert request.expired is bool(expiration)
