"""Servers and clients of the programs measured, on one broker. A server serves every question that it fits."""

import os
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import Self

import pika
import psutil

from benchmarks.measure import Invalid, Measured, Sample, interleave, warm_up, with_cpu
from benchmarks.programs import Client, package
from harness.broker import ExternalBroker, PrivateBroker
from harness.cluster import Cluster
from harness.guardian import family
from harness.server import ServerProcess

Take = Callable[[str, Client], Sample]


@dataclass(frozen=True)
class Setting:
    """How a program's server is run."""

    program: str
    prefetch: int = 1
    queue_type: str = "classic"
    function: str | None = None


class Service:
    """A request queue and the servers that consume it."""

    def __init__(self, setting: Setting, url: str) -> None:
        self.setting = setting
        self.url = url
        self.queue = f"bench-{uuid.uuid4().hex[:12]}"
        self._servers: list[tuple[ServerProcess, set[psutil.Process]]] = []

    def start(self) -> float:
        """Start one more server. Returns the seconds until it was ready."""
        options = asdict(self.setting)
        server = ServerProcess(
            package(options.pop("program")), self.url, queue=self.queue, **options
        )
        began = time.perf_counter()
        server.start()
        elapsed = time.perf_counter() - began
        # with its children, if it has any; here, because to look for them takes milliseconds
        self._servers.append((server, family(server.pid)))
        return elapsed

    def resize(self, servers: int) -> None:
        """Start or kill as many servers as are missing or too many."""
        while len(self._servers) < servers:
            self.start()
        while len(self._servers) > servers:
            self._servers.pop()[0].kill()

    def new_client(self) -> Client:
        """Return a client of its own for the caller to close."""
        setting = self.setting
        return Client(setting.program, self.url, self.queue, queue_type=setting.queue_type)

    @property
    def pids(self) -> list[list[int]]:
        """The process ids of each server: its own, and those of its children."""
        return [[process.pid for process in each] for _, each in self._servers]

    @property
    def memory(self) -> int:
        """Bytes of resident memory, all servers together."""
        return sum(process.memory_info().rss for _, each in self._servers for process in each)

    def close(self) -> None:
        """Kill the servers and delete the queue."""
        self.resize(0)
        with suppress(Exception), pika.BlockingConnection(pika.URLParameters(self.url)) as c:
            c.channel().queue_delete(self.queue)


class Rig:
    """The services of a run, on one broker or cluster. A context manager."""

    def __init__(self, broker: PrivateBroker | ExternalBroker | Cluster) -> None:
        nodes = broker.nodes if isinstance(broker, Cluster) else [broker]
        self.url = nodes[0].url
        self._broker_pids = [node.pid for node in nodes if isinstance(node, PrivateBroker)]
        self._starting = ThreadPoolExecutor(psutil.cpu_count())
        self._services: dict[Setting, Future[Service]] = {}

    def serve(self, settings: Iterable[Setting]) -> None:
        """Start the servers that do not run yet, as many at once as there are processors."""
        for setting in settings:
            if setting not in self._services:
                self._services[setting] = self._starting.submit(self._start, setting)
        wait(self._services.values())

    def _start(self, setting: Setting) -> Service:
        service = Service(setting, self.url)
        service.start()
        return service

    def service(self, setting: Setting) -> Service:
        """Return the running server for a setting.

        Raises:
            RuntimeError: it could not be started. That invalidates this program's measurement, not the others'.
        """
        self.serve([setting])
        return self._services[setting].result()

    def measure(
        self, settings: Mapping[str, Setting], take: Take, passes: int
    ) -> dict[str, Measured | Invalid]:
        """Give each setting one server and one client, and take slots of all in turn."""
        with ExitStack() as stack:
            return interleave(self.slots(settings, take, stack), passes)

    def slots(
        self, settings: Mapping[str, Setting], take: Take, stack: ExitStack
    ) -> dict[str, Callable[[], Sample]]:
        """Start the servers, and return what takes one slot of each; the stack closes their clients."""
        self.serve(settings.values())

        @cache
        def client(setting: Setting) -> Client:
            return stack.enter_context(closing(self.service(setting).new_client()))

        def slot(key: str, setting: Setting) -> Sample:
            ready = client(setting)
            warm_up(ready.call)
            (server,) = self.service(setting).pids
            pids = {"client": [os.getpid()], "server": server}
            if self._broker_pids:
                pids["broker"] = self._broker_pids
            return with_cpu(lambda: take(key, ready), pids)

        return {key: partial(slot, key, setting) for key, setting in settings.items()}

    def delivery_mode(self, program: str) -> str:
        """Look at one request before a server takes it: `transient`, or `persistent` (written to disk)."""
        with closing(Service(Setting(program), self.url)) as service, ThreadPoolExecutor(1) as pool:
            service.start()  # it declares the queue in its own way, and is gone before the request
            service.resize(0)
            with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
                channel = connection.channel()
                answer = pool.submit(_ask, service)
                _, properties, _ = next(channel.consume(service.queue, inactivity_timeout=10))
            service.start()  # the request was not acknowledged, so it is back in the queue
            answer.result()
        return "persistent" if properties and properties.delivery_mode == 2 else "transient"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._starting.shutdown(cancel_futures=True)  # an interrupted run need not start the others
        for service in self._services.values():
            if not service.cancelled() and service.exception() is None:
                service.result().close()


def _ask(service: Service) -> None:
    with closing(service.new_client()) as client:  # in one thread, as some of them need
        client.call(0)
