"""Servers and clients of the rows, on the run's broker. A server serves every question that it fits."""

import os
import time
import uuid
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Self, TypeVar

import pika
import psutil

from benchmarks.measure import Measured, Sample, Void, interleave, warm_up, with_cpu
from benchmarks.rows import Client, package
from harness.broker import ExternalBroker, PrivateBroker
from harness.guardian import family
from harness.server import ServerProcess

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Setting:
    """How a row's server is run."""

    row: str
    prefetch: int = 1
    queue_type: str = "classic"
    function: str | None = None


class Service:
    """A request queue, and the servers that consume it."""

    def __init__(self, setting: Setting, url: str) -> None:
        self.setting = setting
        self.url = url
        self.queue = f"bench-{uuid.uuid4().hex[:12]}"
        self._servers: list[ServerProcess] = []
        self._processes: list[psutil.Process] | None = None

    def start(self) -> float:
        """Start one more server. Returns the seconds until it was ready."""
        server = ServerProcess(
            package(self.setting.row),
            self.url,
            queue=self.queue,
            prefetch=self.setting.prefetch,
            queue_type=self.setting.queue_type,
            function=self.setting.function,
        )
        began = time.perf_counter()
        server.start()
        elapsed = time.perf_counter() - began
        self._servers.append(server)
        self._processes = None
        return elapsed

    def resize(self, servers: int) -> None:
        """Start or kill as many servers as are missing or too many."""
        while len(self._servers) < servers:
            self.start()
        while len(self._servers) > servers:
            self._servers.pop().kill()
            self._processes = None

    def close(self) -> None:
        """Kill the servers and delete the queue."""
        for server in self._servers:
            server.kill()
        self._servers.clear()
        with suppress(Exception), pika.BlockingConnection(pika.URLParameters(self.url)) as c:
            c.channel().queue_delete(self.queue)

    @property
    def processes(self) -> list[psutil.Process]:
        """The servers, with their children if they have any."""
        if self._processes is None:  # looking for children takes milliseconds
            self._processes = [each for server in self._servers for each in family(server.pid)]
        return self._processes

    @property
    def pids(self) -> list[int]:
        """The same, as process ids."""
        return [each.pid for each in self.processes]

    @property
    def memory(self) -> int:
        """Bytes of resident memory, all servers together."""
        return sum(each.memory_info().rss for each in self.processes)


class Crew(Service):
    """A service whose servers come and go, and its client. A context manager."""

    @cached_property
    def client(self) -> Client:
        """The one client; it connects when it is first wanted."""
        return Client(self.setting.row, self.url, self.queue, queue_type=self.setting.queue_type)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if "client" in self.__dict__:
            self.client.close()
        self.close()


class Rig:
    """What all questions of a run share."""

    def __init__(self, broker: PrivateBroker | ExternalBroker) -> None:
        self.url = broker.url
        self._broker_pids = [broker.pid] if isinstance(broker, PrivateBroker) else []
        self._services: dict[Setting, Service | Exception] = {}

    def serve(self, settings: Iterable[Setting]) -> None:
        """Start the servers that do not run yet, as many at once as there are processors."""
        new = [each for each in dict.fromkeys(settings) if each not in self._services]
        with ThreadPoolExecutor(psutil.cpu_count() or 1) as pool:
            self._services.update(zip(new, pool.map(self._start, new), strict=True))

    def _start(self, setting: Setting) -> Service | Exception:
        service = Service(setting, self.url)
        try:
            service.start()
        except Exception as error:  # it voids this row, not the others
            return error
        return service

    def service(self, setting: Setting) -> Service:
        """Return the running server for a setting.

        Raises:
            RuntimeError: it could not be started.
        """
        self.serve([setting])
        found = self._services[setting]
        if isinstance(found, Exception):
            raise found
        return found

    def crew(self, setting: Setting) -> Crew:
        """Return a service with no server yet, on a queue of its own."""
        return Crew(setting, self.url)

    def client(self, setting: Setting) -> Client:
        """Return a new client for a setting's server."""
        return Client(
            setting.row, self.url, self.service(setting).queue, queue_type=setting.queue_type
        )

    def measure(
        self,
        settings: Mapping[K, Setting],
        take: Callable[[K, Client], Sample],
        passes: int,
        progress: Callable[[str], None] = lambda text: None,
    ) -> dict[K, Measured | Void]:
        """Start what servers are needed, give each setting one client, and take slots of all rows in turn."""
        self.serve(settings.values())
        with ExitStack() as stack:

            @cache
            def client(setting: Setting) -> Client:
                return stack.enter_context(self.client(setting))

            def slot(key: K, setting: Setting) -> Sample:
                return self._slot(setting, client(setting), partial(take, key))

            slots = {key: partial(slot, key, setting) for key, setting in settings.items()}
            return interleave(slots, passes, progress)

    def _slot(self, setting: Setting, client: Client, take: Callable[[Client], Sample]) -> Sample:
        """Warm up, measure, and note who used how much processor time."""
        warm_up(client)
        pids = {"client": [os.getpid()], "server": self.service(setting).pids}
        if self._broker_pids:
            pids["broker"] = self._broker_pids
        return with_cpu(lambda: take(client), pids)

    def delivery_mode(self, row: str) -> str:
        """Look at one request before a server takes it: `transient`, or `persistent` (written to disk)."""
        with self.crew(Setting(row)) as crew, ThreadPoolExecutor(1) as pool:
            with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
                channel = connection.channel()
                channel.queue_declare(
                    crew.queue, durable=True, arguments={"x-queue-type": "classic"}
                )
                answer = pool.submit(self._ask, crew)
                _, properties, _ = next(channel.consume(crew.queue, inactivity_timeout=10))
            # not acknowledged, so it is back in the queue
            crew.start()
            answer.result()
        return "persistent" if properties and properties.delivery_mode == 2 else "transient"

    def _ask(self, service: Service) -> int:
        # opened and closed in one thread, as some of the clients want it
        with Client(service.setting.row, self.url, service.queue) as client:
            answer: int = client.call(0)
            return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything."""
        for service in self._services.values():
            if isinstance(service, Service):
                service.close()
        self._services.clear()
