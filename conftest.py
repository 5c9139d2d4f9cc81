"""What tests and benchmarks share: which implementations to run, one broker for the run, servers and clients."""

import os
import signal
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pika
import pytest
from pika.exceptions import AMQPError, ConnectionClosedByBroker

from contract import RpcClient
from contract.clauses import CLAUSES
from harness.broker import BrokerNotInstalled, ExternalBroker, PrivateBroker, find_program
from harness.implementations import IMPLEMENTATIONS, check_implementation, client_class, unsupported
from harness.management import ManagedBroker, suite_broker
from harness.server import ServerProcess
from tests.conformance import Recorder

Serve = Callable[..., ServerProcess]
Connect = Callable[..., RpcClient]
OpenBroker = PrivateBroker | ManagedBroker


HOPELESS = 3
"""After so many servers that did not get ready, and none that did, no other is started."""

NEVER = -1_000_000  # no run starts so many servers


class Unusable(RuntimeError):
    """An implementation cannot be used at all, whatever clause the test is about."""

    clauses = ("Names",)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options: all here, as pytest may load no other conftest.py before it reads the command line.

    With `--backend my_package` it takes a folder of that name for what is to be tested, and looks there alone.
    """
    parser.addoption(
        "--backend",
        action="append",
        metavar="PACKAGE",
        help="Run only this implementation: any importable package with rpc_client and rpc_server modules. "
        f"Repeatable. (default: {', '.join(IMPLEMENTATIONS)})",
    )
    parser.addoption(
        "--clause",
        action="append",
        metavar="CLAUSE",
        help=f"Run only the tests of this clause of the contract: {', '.join(CLAUSES)}. Repeatable.",
    )
    parser.addoption(
        "--conformance-json",
        type=Path,
        metavar="PATH",
        help="Write what became of the tests of each clause, for each implementation, to this file.",
    )
    parser.addoption(
        "--no-shrinking-limits",
        action="store_true",
        help="Give each test its whole time limit, however many have hung before it. It may take an hour.",
    )
    benchmark = parser.getgroup("benchmark")
    benchmark.addoption(
        "--benchmark", action="store_true", help="Measure: run the benchmarks, and only those."
    )
    benchmark.addoption(
        "--benchmark-quick", action="store_true", help="The same in under a minute, and rougher."
    )
    benchmark.addoption(
        "--benchmark-publish",
        action="store_true",
        help="As --benchmark, and publish the results; refused if the load average is above 0.5.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a backend that cannot be one before anything is started."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # as in the background of a shell's script: the programs that tests interrupt would inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("--backend"):
        find_beside(config.invocation_params.dir, config.rootpath)
    try:
        for package in backends(config):
            check_implementation(package)
    except ValueError as error:
        raise pytest.UsageError(f"--backend: {error}") from None
    for clause in config.getoption("--clause") or []:
        if clause not in CLAUSES:
            known = ", ".join(CLAUSES)
            raise pytest.UsageError(f"--clause: no clause {clause!r} (clauses: {known})")
    path, chosen = config.getoption("--conformance-json"), config.getoption("--backend")
    if path or chosen:
        config.pluginmanager.register(Recorder(config.rootpath / "tests", path, table=bool(chosen)))
    option = config.option
    if (
        option.benchmark_only
        or option.benchmark
        or option.benchmark_quick
        or option.benchmark_publish
    ):
        # our own table is shorter; pytest-benchmark's is wanted when runs are compared, or by its own option
        option.benchmark_quiet = not (option.benchmark_compare or option.benchmark_only)
        option.benchmark_enable = option.benchmark_only = True
        option.benchmark_json = option.benchmark_json or config.rootpath / "out" / "benchmark.json"
        option.benchmark_json.parent.mkdir(parents=True, exist_ok=True)


def find_beside(folder: Path, root: Path) -> None:
    """Have packages in the folder that pytest was called from found, here and in the programs of tests."""
    if folder != root:
        sys.path.append(str(folder))
        path = [os.environ.get("PYTHONPATH", ""), str(folder)]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))
        os.environ["PYTHONSAFEPATH"] = (
            "1"  # a `tests` of its own there does not hide this project's
        )


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Keep what bears on the figures; leave out what names the machine or changes from run to run."""
    cpu = machine_info.pop("cpu", {})
    for name in ("node", "python_build", "python_compiler"):
        machine_info.pop(name, None)
    machine_info["cpu"] = cpu.get("brand_raw") or machine_info.get("processor") or "unknown"


def backends(config: pytest.Config) -> list[str]:
    """Return the packages to run, in order, each once."""
    return list(dict.fromkeys(config.getoption("--backend") or IMPLEMENTATIONS))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `backend` once for each."""
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", backends(metafunc.config), scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what was not asked for, or cannot be; expect what a backend declares it cannot do to fail."""
    chosen = config.getoption("--backend")
    measuring = config.getoption("benchmark_only")
    kept, left_out = [], []
    for item in items:
        callspec = getattr(item, "callspec", None)
        backend = callspec.params.get("backend") if callspec else None
        # measures other programs beside the backends
        benchmark = "benchmark" in getattr(item, "fixturenames", ())
        if (
            (measuring and not benchmark)
            or (chosen and backend is None and not benchmark)
            or (
                backend
                and any(m.args[0] in unsupported(backend) for m in item.iter_markers("only_with"))
            )
        ):
            left_out.append(item)
            continue
        kept.append(item)
        for mark in item.iter_markers("needs"):
            reason = unsupported(backend).get(mark.args[0]) if backend else None
            if reason is not None:
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


@pytest.fixture(scope="session")
def broker() -> Iterator[PrivateBroker | ExternalBroker]:
    """The RabbitMQ of this run: `$AMQP_URL`, or one of our own."""
    with ExitStack() as stack:
        try:
            node = stack.enter_context(suite_broker())
        except BrokerNotInstalled as error:
            pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
        yield node


@pytest.fixture
def open_broker(broker: PrivateBroker | ExternalBroker) -> OpenBroker:
    """The run's broker, for a test that looks inside, or closes its connections."""
    if not isinstance(broker, OpenBroker):
        pytest.skip(
            "looks inside the broker: needs its management API, at port 15672 or $RABBITMQ_MANAGEMENT_URL, "
            "and an administrator in $AMQP_URL"
        )
    return broker


@pytest.fixture
def private_broker(broker: PrivateBroker | ExternalBroker) -> PrivateBroker:
    """The run's broker, for a test that stops it, or changes its settings."""
    if not isinstance(broker, PrivateBroker):
        pytest.skip(
            "stops the broker or changes its settings: needs RabbitMQ installed here, and no $AMQP_URL"
        )
    return broker


@pytest.fixture(scope="session")
def rabbitmq() -> None:
    """What a test needs that starts a broker of its own, beside that of the run."""
    find_program("rabbitmq-server")


@contextmanager
def skipped_without_rabbitmq() -> Iterator[None]:
    """Skip what cannot start a broker of its own, in a run that was given one."""
    try:
        yield
    except BrokerNotInstalled:
        if not os.environ.get("AMQP_URL"):
            raise
        pytest.skip("starts a broker of its own: needs RabbitMQ installed here")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    """Set a test's fixtures up."""
    with skipped_without_rabbitmq():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Run a test."""
    with skipped_without_rabbitmq():
        return (yield)


@pytest.fixture
def url(broker: PrivateBroker | ExternalBroker) -> str:
    """The address of the run's broker."""
    return broker.url


@pytest.fixture
def channel(url: str) -> Iterator[Any]:
    """A channel of a neutral AMQP client, for messages that no client or server of ours would send."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.confirm_delivery()  # what was published is in its queue
    yield channel
    if connection.is_open:
        connection.close()


@pytest.fixture
def transient_queues(url: str) -> None:
    """What a test needs that declares a queue which is neither durable nor exclusive, as the tutorial once did."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        try:
            channel.queue_delete(channel.queue_declare("").method.queue)
        except ConnectionClosedByBroker as refusal:
            if "transient_nonexcl_queues" not in refusal.reply_text:
                raise
            pytest.skip(
                "the broker denies transient_nonexcl_queues, as RabbitMQ does from 4.3 on by itself"
            )


class QueueRemover:
    """Deletes the tests' queues, in a broker of ours on one connection for all: one for each took both sides 7 ms.

    Elsewhere tests count connections by the management API, which lists them late; so none is kept there.
    """

    def __init__(self, broker: PrivateBroker | ExternalBroker) -> None:
        self._parameters = pika.URLParameters(broker.url)
        self._parameters.heartbeat = 0  # nobody reads between two tests
        self._keep = isinstance(broker, PrivateBroker)
        self._connection: pika.BlockingConnection | None = None

    def delete(self, queue: str) -> None:
        """Delete a queue, if there is one. Tests close connections, this one too: then it is made again."""
        try:
            self._delete(queue)
        except AMQPError:
            self.close()
            self._delete(queue)
        if not self._keep:
            self.close()

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(AMQPError):
                connection.close()

    def _delete(self, queue: str) -> None:
        if self._connection is None:
            self._connection = pika.BlockingConnection(self._parameters)
        channel = self._connection.channel()
        channel.queue_delete(queue)
        channel.close()


@pytest.fixture(scope="session")
def remover(broker: PrivateBroker | ExternalBroker) -> Iterator[QueueRemover]:
    """What deletes queues in the run's broker."""
    remover = QueueRemover(broker)
    yield remover
    remover.close()


@pytest.fixture
def queue(remover: QueueRemover) -> Iterator[str]:
    """The name of a request queue that no other test uses."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    yield name
    remover.delete(name)


@pytest.fixture(scope="session")
def unready() -> Counter[str]:
    """How many servers of each backend did not get ready; none is counted of one of which a server did."""
    return Counter()


@pytest.fixture
def serve(backend: str, url: str, queue: str, unready: Counter[str]) -> Iterator[Serve]:
    """Start servers of the backend on the test's queue; they end with the test."""
    with ExitStack() as stack:

        def start(**options: Any) -> ServerProcess:
            __tracebackhide__ = True
            if unready[backend] == HOPELESS:
                raise Unusable(f"no ready line from {HOPELESS} servers before: not tried again")
            server = ServerProcess(backend, **{"queue": queue, "url": url, **options})
            unready[backend] += not options  # an option may be what it cannot do
            try:
                stack.enter_context(server)
            except RuntimeError as error:
                command, _, why = str(error).partition(": ")
                raise Unusable(f"no ready line from the server: {why}\n({command})") from None
            unready[backend] = NEVER
            return server

        yield start


@pytest.fixture
def connect(backend: str, url: str, queue: str) -> Iterator[Connect]:
    """Build clients of the backend for the test's queue; they are closed with the test."""
    with ExitStack() as stack:

        def build(url: str = url, **options: Any) -> RpcClient:
            __tracebackhide__ = True
            options = {"queue": queue, **options}
            try:
                return stack.enter_context(client_class(backend)(url, **options))
            except (ImportError, AttributeError, TypeError) as error:
                raise Unusable(
                    f"no client FibonacciRpcClient(url, {options}): {error!r}"
                ) from error

        yield build


@pytest.fixture
def client(connect: Connect) -> RpcClient:
    """A client of the backend with its defaults."""
    return connect()
