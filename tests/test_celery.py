"""Celery alone: its worker's parts, and celery_impl beside Celery's own clients, workers and tools."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, group
from celery.exceptions import TimeoutError as NoResult
from kombu import Queue
from pamqp.commands import Basic
from pamqp.commands import Queue as Queue_

from celery_impl.rpc_client import FibonacciRpcClient
from conftest import Connect, Serve
from contract import InvalidRequest, RemoteError, RpcClient
from harness.broker import PrivateBroker
from harness.frames import FrameFilter
from harness.functions import logged_calls
from harness.program import PROJECT_ROOT, Program
from harness.proxy import Proxy, Way
from harness.server import ServerProcess
from rpc_core.programs import EXIT_REFUSED, EXIT_USAGE
from tests.methods import watched
from tests.running import NOWHERE, run
from tests.waiting import messages_ready, take_request, wait_until


@pytest.fixture
def serve(url: str, queue: str) -> Iterator[Serve]:
    """Start servers of celery_impl on the test's queue; they end with the test."""
    with ExitStack() as stack:

        def start(**options: Any) -> ServerProcess:
            server = ServerProcess("celery_impl", **{"queue": queue, "url": url, **options})
            return stack.enter_context(server)

        yield start


@pytest.fixture
def connect(url: str, queue: str) -> Iterator[Connect]:
    """Build clients of celery_impl for the test's queue; they are closed with the test."""
    with ExitStack() as stack:

        def build(url: str = url, **options: Any) -> RpcClient:
            client = FibonacciRpcClient(url, **{"queue": queue, **options})
            return stack.enter_context(client)

        yield build


@pytest.fixture
def client(connect: Connect) -> RpcClient:
    """A client of celery_impl with its defaults."""
    return connect()


@pytest.fixture
def proxy(url: str) -> Iterator[Proxy]:
    """A proxy to the run's broker."""
    with Proxy.for_url(url) as between:
        yield between


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The file in which `harness.functions` notes each call."""
    return tmp_path / "calls"


def logged(log: Path, **options: Any) -> dict[str, Any]:
    """Return the options of a server that notes its calls and takes n milliseconds for each."""
    env = {"RPC_CALL_LOG": str(log)}
    return {"function": "harness.functions:slow_logged", "env": env, **options}


# -- stopping ----------------------------------------------------------------------------------------


def test_heartbeats_go_on_while_stopping(serve: Serve, client: RpcClient, log: Path) -> None:
    """C16, C17: a job of many heartbeat intervals that a server told to stop still computes is answered."""
    server = serve(**logged(log, heartbeat=1))
    future = client.submit(9000, timeout=40)
    wait_until(lambda: logged_calls(log) == [9000], "the server to compute")
    assert server.terminate(40) == 0
    assert future.result(timeout=5) == 9000
    assert "next attempt in" not in server.output


def test_replies_go_out_while_stopping(serve: Serve, client: RpcClient, log: Path) -> None:
    """C17: a server that stops sends a reply when it is there, and does not wait for its longest job."""
    server = serve(**logged(log, concurrency=2))
    slow, quick = client.submit(8000, timeout=40), client.submit(1500, timeout=40)
    wait_until(lambda: len(logged_calls(log)) == 2, "the server to compute")
    server.send_signal(signal.SIGTERM)
    assert quick.result() == 1500
    assert not slow.done()
    assert slow.result() == 8000
    assert server.wait(20) == 0


def test_second_signal(serve: Serve, client: RpcClient, log: Path) -> None:
    """C17: further signals change nothing: the job is finished and answered."""
    server = serve(**logged(log))
    future = client.submit(2500, timeout=40)
    wait_until(lambda: logged_calls(log) == [2500], "the server to compute")
    server.send_signal(signal.SIGTERM)
    server.wait_for_output("stopping")
    server.send_signal(signal.SIGTERM)
    server.send_signal(signal.SIGINT)
    assert future.result() == 2500
    assert server.wait(20) == 0


@pytest.mark.parametrize("concurrency", [1, 2])
def test_stop_in_a_job_without_a_broker(
    serve: Serve, client: RpcClient, proxy: Proxy, log: Path, concurrency: int
) -> None:
    """C17: a server that lost its broker in a job ends when told to, after the job."""
    server = serve(**logged(log, concurrency=concurrency, url=proxy.url))
    client.submit(3000, timeout=40)
    wait_until(lambda: logged_calls(log) == [3000], "the server to compute")
    proxy.refuse()
    server.wait_for_output("next attempt in", 20)
    assert server.terminate(20) == 0
    assert "Traceback" not in server.output


# -- jobs of a connection that was lost ----------------------------------------------------------------


def test_no_reply_for_a_lost_connection(
    serve: Serve, client: RpcClient, proxy: Proxy, log: Path, tmp_path: Path
) -> None:
    """C11, C13: a job whose connection was lost sends no reply: the request is computed again, for one reply."""
    gate = tmp_path / "gate"
    env = {"RPC_CALL_LOG": str(log), "RPC_GATE": str(gate)}
    options = {"concurrency": 2, "url": proxy.url}
    server = serve(function="harness.functions:wait_for_file", env=env, **options)
    future = client.submit(7, timeout=50)
    wait_until(lambda: logged_calls(log) == [7], "the server to compute")
    proxy.cut()
    server.wait_for_output("(Awaiting RPC requests(.|\n)*){2}", 20)
    wait_until(lambda: logged_calls(log) == [7, 7], "the server to compute it again")
    gate.touch()
    assert future.result() == 7
    assert [client.call(n, timeout=20) for n in range(10)] == list(range(10))
    assert client.stats.late == 0


# -- requests ------------------------------------------------------------------------------------------


def test_expiration_that_is_no_number(
    serve: Serve, client: RpcClient, proxy: Proxy, queue: str, channel: Any
) -> None:
    """C9: an expiration that cannot be read is refused, as whatever else a message may hold."""

    def garble(_: object, way: Way, data: bytes) -> bytes:  # RabbitMQ itself would refuse it
        return data if way == "to_broker" else data.replace(b"\x0541234", b"\x054123x")

    proxy.filter = garble
    future = client.submit(30, timeout=50)
    _, properties, body = take_request(client, channel, queue)
    server = serve(url=proxy.url)
    properties.expiration = "41234"
    channel.basic_publish("", queue, body, properties)
    with pytest.raises(InvalidRequest, match="4123x"):
        future.result()
    assert client.call(11, timeout=20) == 89
    assert server.output.count("Awaiting") == 1


# -- a worker of Celery's own ----------------------------------------------------------------------------

STOCK_WORKER = """
import os, time
from celery import Celery
from kombu import Queue

app = Celery("stock", broker=os.environ["AMQP_URL"], backend="rpc://")
app.conf.task_queues = [Queue(os.environ["QUEUE"], exchange="", durable=True)]
app.conf.task_default_queue = os.environ["QUEUE"]
app.conf.task_track_started = True

class Odd(Exception):
    pass

def fibonacci(task, n):
    if n == 1:
        raise ValueError("boom")
    if n == 11:
        time.sleep(1)
    if n == 2:
        raise Odd(3, ["x"])
    if n == 3:
        os.kill(os.getpid(), 9)
    if n == 4 and not task.request.retries:
        raise task.retry(countdown=0.1)
    return {5: "text", 6: None, 7: True, 8: 1.5}.get(n, n)

app.task(name=os.environ.get("TASK", "fibonacci"), bind=True)(fibonacci)
"""


@pytest.fixture
def stock_worker(url: str, queue: str, tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Start a worker of Celery's own on the test's queue."""
    (tmp_path / "stock.py").write_text(STOCK_WORKER)
    command = [sys.executable, "-m", "celery", "-A", "stock", "worker", "-c", "1", "-l", "INFO"]
    with ExitStack() as stack:

        def start(**env: str) -> Program:
            env = {"AMQP_URL": url, "QUEUE": queue, **env}
            program = Program(command, ready="ready\\.", env=env, cwd=tmp_path)
            return stack.enter_context(program)

        yield start


def test_stock_worker(stock_worker: Callable[..., Program], client: RpcClient) -> None:
    """C10, C13: what a worker of Celery's own answers, its errors as well, ends the call at once."""
    stock_worker()
    errors = {
        1: RemoteError("ValueError", "boom"),
        2: RemoteError("Odd", "(3, ['x'])"),
        3: RemoteError("WorkerLostError", "signal 9"),
        5: RemoteError("TypeError", "the function returned str, not int"),
        6: RemoteError("TypeError", "the function returned NoneType, not int"),
        7: RemoteError("TypeError", "the function returned bool, not int"),
        8: RemoteError("TypeError", "the function returned float, not int"),
    }
    for n in range(10):
        if expected := errors.get(n):
            with pytest.raises(RemoteError) as caught:
                client.call(n, timeout=40)
            assert caught.value.exception_type == expected.exception_type
            assert expected.message in caught.value.message
        else:
            assert client.call(n, timeout=40) == n
    assert client.stats.malformed == client.stats.unknown == client.stats.late == 0


def test_stock_worker_without_the_task(
    stock_worker: Callable[..., Program], client: RpcClient
) -> None:
    """C10: that a worker of Celery's own does not know the task ends the call at once."""
    stock_worker(TASK="another")
    with pytest.raises(RemoteError, match="NotRegistered: fibonacci"):
        client.call(30, timeout=40)


def test_request_that_a_stock_worker_revoked(
    stock_worker: Callable[..., Program],
    stock: Celery,
    client: RpcClient,
    queue: str,
    channel: Any,
) -> None:
    """C10: that a worker of Celery's own was told to revoke the request ends the call at once."""
    future = client.submit(10, timeout=90)
    method, properties, body = take_request(client, channel, queue)
    channel.basic_ack(method.delivery_tag)
    stock_worker()
    told = stock.control.revoke(properties.headers["id"], reply=True, limit=1, timeout=30)
    assert "ok" in str(told)
    channel.basic_publish("", queue, body, properties)
    error = future.exception(timeout=40)
    assert isinstance(error, RemoteError)
    assert error.exception_type == "TaskRevokedError"
    assert client.stats.malformed == 0


def test_headers_of_a_request(client: RpcClient, queue: str, channel: Any) -> None:
    """What docs/celery-as-it-comes.md says of a request: of Celery's 19 headers those that hold something."""
    client.submit(30)
    _, properties, _ = take_request(client, channel, queue)
    assert len(properties.headers) == 6
    assert all(properties.headers.values())


def test_celery_as_it_comes(
    stock_worker: Callable[..., Program], proxy: Proxy, queue: str, channel: Any
) -> None:
    """What docs/celery-as-it-comes.md says of `rpc://` by default, as seen on the wire."""
    seen: list[Any] = []
    proxy.filter = FrameFilter(lambda method: seen.append(method) or True)  # type: ignore[func-returns-value]
    app = Celery("client", broker=proxy.url, backend="rpc://", set_as_current=False)
    app.conf.update(task_default_queue=queue, task_default_exchange="")
    app.conf.update(task_queues=[Queue(queue, durable=True)])
    results = [app.send_task("fibonacci", (11,)) for _ in range(2)]
    declared = [each for each in seen if isinstance(each, Queue_.Declare) and each.queue != queue]
    assert len(declared) == 2  # for each call
    for each in declared:
        assert each.queue == app.thread_oid
        assert each.durable
        assert each.auto_delete
        assert each.arguments == {"x-expires": 86_400_000}  # a day
    _, properties, _ = channel.basic_get(queue, auto_ack=True)
    assert len(properties.headers) == 19
    assert sum(not value for value in properties.headers.values()) == 11  # empty
    assert properties.delivery_mode == 2  # written to disk
    seen.clear()
    stock_worker(AMQP_URL=proxy.url)
    assert results[1].get(timeout=40) == 11
    replied = [
        isinstance(each, Basic.Publish) and each.routing_key == app.thread_oid for each in seen
    ]
    acknowledged = [isinstance(each, Basic.Ack) for each in seen]
    assert acknowledged.index(True) < len(replied) - 1 - replied[::-1].index(True)
    app.backend.result_consumer.stop()  # type: ignore[attr-defined]
    app.close()


# -- a client of Celery's own ----------------------------------------------------------------------------


@pytest.fixture
def stock(url: str, queue: str) -> Iterator[Celery]:
    """An application of Celery's own, with its defaults, as a client of the test's queue."""
    app = Celery("stock client", broker=url, backend="rpc://", set_as_current=False)
    app.conf.update(task_default_queue=queue, task_default_exchange="")
    app.conf.update(task_queues=[Queue(queue, durable=True)])
    yield app
    with suppress(AttributeError):  # it has waited for nothing
        app.backend.result_consumer.stop()  # type: ignore[attr-defined]
    app.close()


def ask(stock: Celery, *arguments: Any, **options: Any) -> Any:
    """Send a task and return its result; raise its error."""
    return stock.send_task("fibonacci", arguments, **options).get(timeout=20)


def test_stock_client(serve: Serve, stock: Celery) -> None:
    """C9, C10: a client of Celery's own gets results and errors; expiration and group are no hindrance."""
    serve()
    assert ask(stock, 30) == 832040
    assert ask(stock, 10, expires=30) == 55
    both = group(stock.signature("fibonacci", (n,)) for n in (10, 11))
    assert both.apply_async().get(timeout=20) == [55, 89]
    with pytest.raises(InvalidRequest, match="negative"):
        ask(stock, -1)


def test_thread_for_each_call(serve: Serve, stock: Celery) -> None:
    """docs/celery-as-it-comes.md: a new thread can get an ended one's reply queue, which has a dead consumer."""
    serve()
    backends: set[Any] = set()  # one for each thread; kept, as its end would close the connection
    answers: list[tuple[int, int | None]] = []

    def call(timeout: float = 20) -> int | None:
        backends.add(stock.backend)
        try:
            answer: int = stock.send_task("fibonacci", (10,)).get(timeout=timeout)
            return answer
        except NoResult:
            return None

    def note() -> None:
        thread = threading.get_ident()
        answers.append((thread, call(1) if thread in dict(answers) else call()))

    try:
        with ThreadPoolExecutor(2) as pool:
            assert [*pool.map(lambda _: call(), range(20))] == [55] * 20
            # until a thread has the identity of one before
            while len(dict(answers)) == len(answers) < 20:
                thread = threading.Thread(target=note)
                thread.start()
                thread.join()
        assert [answer for _, answer in answers] == [55] * (len(answers) - 1) + [None]
    finally:
        for backend in backends:
            backend.result_consumer.stop()


def test_threads_that_stop_their_consumers(serve: Serve, stock: Celery) -> None:
    """docs/celery-as-it-comes.md: a thread that ends so leaves nothing that takes another's replies."""
    serve()
    answers: list[int] = []

    def call() -> None:
        answers.append(ask(stock, 10))
        backend: Any = stock.backend
        backend.result_consumer.stop()

    for _ in range(10):
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
    assert answers == [55] * 10


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"eta": datetime(2199, 1, 1, tzinfo=UTC)}, "eta or countdown"),
        ({"countdown": 0.1}, "eta or countdown"),
        ({"time_limit": 5}, "a time limit"),
        ({"soft_time_limit": 5}, "a time limit"),
        ({"link": "fibonacci"}, "link is"),
        ({"link_error": "fibonacci"}, "link_error is"),
        ({"chain": ["fibonacci"]}, "a chain"),
        ({"chord": "fibonacci"}, "a chord"),
        ({"compression": "zlib"}, "compressed"),
    ],
    ids=str,
)
def test_what_a_stock_client_asks_for_beyond_the_call(
    serve: Serve, stock: Celery, options: dict[str, Any], named: str
) -> None:
    """C9: what the server does not do is refused, in words that name it."""
    serve()
    for name in {"link", "link_error", "chord"} & options.keys():
        options = {name: stock.signature(options[name], (1,))}
    if "chain" in options:
        options = {"chain": [stock.signature("fibonacci", (1,))]}
    with pytest.raises(InvalidRequest, match=named):
        ask(stock, 10, **options)


def test_another_task(serve: Serve, stock: Celery) -> None:
    """C9: a request for another task is refused, whatever its argument, and not taken for ours."""
    serve()
    with pytest.raises(InvalidRequest, match="the task 'fibonacci'"):
        stock.send_task("another", (10,)).get(timeout=20)
    assert ask(stock, 10) == 55


def test_time_of_day_of_a_stock_client(serve: Serve, stock: Celery) -> None:
    """C5: the time of day at which a Celery client says that its request expires is not looked at."""
    serve()
    assert ask(stock, 10, headers={"expires": "2000-01-01T00:00:00+00:00"}) == 55


def test_chain_of_a_stock_client(serve: Serve, stock: Celery, queue: str, channel: Any) -> None:
    """C9: a chain is refused, and nothing of it is sent on."""
    serve()
    chain: Any = stock.signature("fibonacci", (3,)) | stock.signature("fibonacci")
    with pytest.raises(InvalidRequest, match="a chain"):
        chain.apply_async().parent.get(timeout=20)
    assert messages_ready(channel, queue) == 0


def test_ignored_result(serve: Serve, stock: Celery, client: RpcClient, channel: Any) -> None:
    """C9: a client that ignores the result gets none; the task runs."""
    server = serve(extra_args=["-v"])
    replies = channel.queue_declare("", exclusive=True).method.queue
    stock.send_task("fibonacci", (30,), ignore_result=True, reply_to=replies)
    stock.send_task("fibonacci", (10,), reply_to=replies)
    _, _, body = next(channel.consume(replies, auto_ack=True, inactivity_timeout=20))
    assert json.loads(body)["result"] == 55  # one at a time: the first request has been done
    wait_until(lambda: server.output.count("<- request") == 2, "both to be logged")
    wait_until(lambda: "-> reply" in server.output, "the reply to be logged")
    assert client.call(11) == 89
    assert server.terminate() == 0
    assert server.output.count("-> reply") == 2  # of the second request, and of this call


# -- Celery's own programs -------------------------------------------------------------------------------


def run_celery(url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `celery -A celery_impl`."""
    return run("celery", "-A", "celery_impl", *arguments, AMQP_URL=url)


def test_celery_programs(url: str, queue: str, channel: Any) -> None:
    """Celery's command line finds the application: call, purge, report; worker, which can be seen with -E."""
    channel.queue_declare("rpc_queue", durable=True, arguments={"x-queue-type": "classic"})
    try:
        assert run_celery(url, "call", "fibonacci", "-a", "[30]").returncode == 0
        assert messages_ready(channel, "rpc_queue") == 1
        assert "1 message" in run_celery(url, "purge", "-f").stdout
        report = run_celery(url, "report")
        assert "task_acks_late: True" in report.stdout, report.stderr
        assert "guest:guest" not in report.stdout
    finally:
        channel.queue_delete("rpc_queue")
    worker = [sys.executable, "-m", "celery", "-A", "celery_impl", "worker", "-Q", queue]
    for option, status in ([], 69), (["-E"], 0):
        with (
            Program(
                [*worker, *option], ready="Awaiting RPC requests", env={"AMQP_URL": url}
            ) as ours,
            FibonacciRpcClient(url, queue=queue) as client,
        ):
            done = run_celery(url, "status")
            assert done.returncode == status, done.stderr
            assert ("1 node online" in done.stdout) is (status == 0)
            assert client.call(30) == 832040
            assert ours.terminate(20) == 0
            assert "Traceback" not in ours.output


@pytest.mark.parametrize("concurrency", [1, 3])
def test_concurrency_of_celerys_worker(url: str, queue: str, concurrency: int) -> None:
    """C15: `celery worker -c` is the server's concurrency, and with it the prefetch."""
    worker = [sys.executable, "-m", "celery", "-A", "celery_impl", "worker", "-Q", queue]
    with (
        watched(url) as (proxy, methods),
        Program(
            [*worker, "-c", str(concurrency)],
            ready="Awaiting RPC requests",
            env={"AMQP_URL": proxy.url},
        ),
    ):
        assert methods.of("Basic.Qos")[-1].prefetch_count == concurrency


def test_celerys_worker_refused(url: str) -> None:
    """C20, Names: `celery worker` exits as the server does when the broker refuses it."""
    done = run_celery(url.replace("guest:guest", "guest:wrong"), "worker")
    assert done.returncode == EXIT_REFUSED, done.stderr
    assert "the broker refused" in done.stderr


def test_celery_programs_with_a_dead_address(url: str) -> None:
    """C12: of several addresses in $AMQP_URL Celery's command line passes over a dead one as well."""
    done = run_celery(f"{NOWHERE};{url}", "purge", "-f", "-Q", "rpc_queue")
    assert done.returncode == 0, done.stderr


def test_events(url: str, queue: str, stock: Celery) -> None:
    """A server with -E sends the events that Flower shows: of itself, and of each task."""
    seen: set[str] = set()
    worker = [sys.executable, "-m", "celery", "-A", "celery_impl", "worker", "-E", "-Q", queue]
    with (
        Program(worker, ready="Awaiting RPC requests", env={"AMQP_URL": url}),
        FibonacciRpcClient(url, queue=queue) as client,
        stock.connection_for_read() as connection,
    ):
        handlers = {"*": lambda event: seen.add(event["type"])}
        receiver = stock.events.Receiver(connection, handlers)
        for _ in receiver.consume(limit=None, timeout=20, wakeup=False):
            if {"worker-heartbeat", "task-received", "task-succeeded"} <= seen:
                break
            if "worker-heartbeat" in seen and not client.stats.sent:
                assert client.call(30) == 832040


def test_monitored_server_reconnects(private_broker: PrivateBroker, queue: str) -> None:
    """C18: a server with -E survives the loss of its connections too, and is seen again."""
    url = private_broker.url
    worker = [sys.executable, "-m", "celery", "-A", "celery_impl", "worker", "-E", "-Q", queue]
    with (
        Program(worker, ready="Awaiting RPC requests", env={"AMQP_URL": url}) as server,
        FibonacciRpcClient(url, queue=queue) as client,
    ):
        assert client.call(10, timeout=20) == 55
        private_broker.close_all_connections("test")
        server.wait_for_output("(Awaiting RPC requests(.|\n)*){2}", 20)
        wait_until(lambda: client.stats.reconnects == 1, "the client to be back")
        assert client.call(11, timeout=20) == 89
        assert run_celery(url, "status").returncode == 0
        assert server.terminate(20) == 0
        assert "Traceback" not in server.output


# -- surroundings ----------------------------------------------------------------------------------------


def test_headers_of_tracing(url: str, queue: str, stock: Celery, tmp_path: Path) -> None:
    """The headers of OpenTelemetry and of Sentry reach the task, and no others."""
    (tmp_path / "served.py").write_text(TRACED)
    path = os.pathsep.join([str(PROJECT_ROOT), str(tmp_path)])
    options: dict[str, Any] = {"function": "served:traced", "env": {"PYTHONPATH": path}}
    sent = {
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "tracestate": "a=b",
        "baggage": "c=d",
        "sentry-trace": "771a43a4192642f0b136d5159a501700-1234567890abcdef-1",
        "other": "x",
    }
    with ServerProcess("celery_impl", url, queue=queue, **options) as server:
        assert ask(stock, 30, headers=sent) == 30
        line = server.wait_for_output("SEEN (.*)")[1]
    del sent["other"]
    sentry = sent.pop("sentry-trace")
    seen = json.loads(line)
    assert seen.pop("headers") == {**sent, "sentry-trace": sentry}
    assert seen == {**sent, "other": None}


TRACED = """
import json
from celery import current_task

def traced(n):
    names = ("traceparent", "tracestate", "baggage", "headers", "other")
    request = current_task.request
    print("SEEN", json.dumps({name: getattr(request, name, None) for name in names}), flush=True)
    return n
"""

INSTRUMENTED = """
from opentelemetry import trace
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.sdk.trace import TracerProvider

trace.set_tracer_provider(TracerProvider())
CeleryInstrumentor().instrument()

def trace_id():
    return format(trace.get_current_span().get_span_context().trace_id, "032x")

def traced(n):
    print("TRACE", trace_id(), flush=True)
    return n
"""
TRACING_CLIENT = """
import sys
from celery import Celery
from kombu import Queue
from instrumented import trace, trace_id

url, queue = sys.argv[1:]
app = Celery("client", broker=url, backend="rpc://")
app.conf.update(task_default_queue=queue, task_queues=[Queue(queue, exchange="", durable=True)])
app.conf.update(task_default_exchange="")
with trace.get_tracer("client").start_as_current_span("call"):
    print(trace_id(), app.send_task("fibonacci", (30,)).get(timeout=20))
"""


@pytest.mark.skipif(
    find_spec("opentelemetry") is None, reason="needs OpenTelemetry: pip install '.[tracing]'"
)
def test_trace_is_shared(url: str, queue: str, tmp_path: Path) -> None:
    """With OpenTelemetry's instrumentation of Celery, a client's span and the worker's are in one trace."""
    (tmp_path / "instrumented.py").write_text(INSTRUMENTED)
    (tmp_path / "client.py").write_text(TRACING_CLIENT)
    env = {"PYTHONPATH": os.pathsep.join([str(PROJECT_ROOT), str(tmp_path)])}
    options: dict[str, Any] = {"function": "instrumented:traced", "env": env}
    with ServerProcess("celery_impl", url, queue=queue, **options) as server:
        command = [sys.executable, str(tmp_path / "client.py"), url, queue]
        done = subprocess.run(
            command, env=os.environ | env, capture_output=True, text=True, timeout=40, check=False
        )
        seen = server.wait_for_output("TRACE (.*)")[1]
    assert done.stdout == f"{seen} 30\n", done.stderr
    assert int(seen, 16)


BESIDE = """
import celery

theirs = celery.Celery("theirs")

from celery_impl.rpc_client import FibonacciRpcClient
from celery_impl.rpc_server import FibonacciRpcServer
from rpc_core.programs import parse_server_options

FibonacciRpcServer(parse_server_options("celery_impl"))
with FibonacciRpcClient():
    later = celery.Celery("later", set_as_current=False)
    print(celery.current_app.main, *("fibonacci" in app.tasks for app in (theirs, later)))
"""


def test_beside_another_application(url: str, tmp_path: Path) -> None:
    """Another Celery application in the process stays the current one, and gets no task of ours."""
    (tmp_path / "beside.py").write_text(BESIDE)
    path = os.pathsep.join([str(PROJECT_ROOT), str(tmp_path)])
    done = run("beside", PYTHONPATH=path, AMQP_URL=url)
    assert done.stdout == "theirs False False\n", done.stderr


UNSUITABLE = {  # what `--function` imports, as if it were there
    "gevent": "import sys, gevent.socket\nfib = abs\n",
    "Celery 5.7": "import celery\ncelery.VERSION = celery.version_info_t(5, 6, 9, '', '')\nfib = abs\n",
}


@pytest.mark.parametrize("named", UNSUITABLE)
def test_unsuitable_surroundings(url: str, queue: str, tmp_path: Path, named: str) -> None:
    """Where Celery's worker cannot answer, the server says so in one line, and does not begin."""
    (tmp_path / "gevent").mkdir()
    (tmp_path / "gevent" / "__init__.py").touch()
    # as after gevent's patching, the socket module's class is gevent's
    (tmp_path / "gevent" / "socket.py").write_text("from socket import socket\n")
    (tmp_path / "unsuitable.py").write_text(UNSUITABLE[named])
    path = os.pathsep.join([str(PROJECT_ROOT), str(tmp_path)])
    options = ["--url", url, "--queue", queue, "--function", "unsuitable:fib"]
    done = run("celery_impl.rpc_server", *options, PYTHONPATH=path)
    assert done.returncode == EXIT_USAGE
    assert len(done.stderr.splitlines()) == 1
    assert named in done.stderr
    assert done.stdout == ""
