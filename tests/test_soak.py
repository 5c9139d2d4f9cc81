"""A storm: seeded random faults under load. Short here; `make soak` makes it long (`-m soak`)."""

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pika
import pytest

from conftest import OpenBroker
from contract import RpcClient, RpcConnectionLost, RpcTimeout
from harness.implementations import client_class
from harness.proxy import Direction, Proxy
from harness.server import ServerProcess
from tests.load import LATE, Load
from tests.waiting import wait_until

SHORT = 8.0  # seconds
LONG = float(os.environ.get("SOAK_SECONDS", "600"))
SEED = int(os.environ.get("SOAK_SEED", "1"))

STRAYS = [b"", b"1", b"{", b"\xff\xfe", b"null", b'{"error": 1}', b"[[], {}, {}]"]


@dataclass
class Storm:
    """A service of two servers and two clients, and everything that can go wrong with it."""

    backend: str
    broker: OpenBroker
    queue: str
    rng: random.Random
    stack: ExitStack
    weather: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        enter = self.stack.enter_context
        url, queue = self.broker.url, self.queue
        self.proxies = [enter(Proxy.for_url(url)) for _ in range(2)]  # clients' and servers'
        self.servers = [
            enter(ServerProcess(self.backend, self.proxies[1].url, queue=queue, heartbeat=2)),
            enter(ServerProcess(self.backend, url, queue=queue, prefetch=5)),
        ]
        client = client_class(self.backend)
        self.clients: list[RpcClient] = [
            enter(client(self.proxies[0].url, queue=queue, heartbeat=2)),
            enter(client(url, queue=queue)),
        ]

    def blow(self) -> None:
        """Let one thing go wrong."""
        faults: list[Callable[[], object]] = [
            self.kill_a_server,
            self.stop_a_server,
            self.close_connections,
            self.cut,
            self.delay,
            self.swallow,
            self.refuse,
            self.heal,
            self.send_stray_replies,
            self.send_bad_requests,
        ]
        fault = self.rng.choice(faults)
        self.weather.append(fault.__name__)
        fault()

    def kill_a_server(self) -> None:
        """SIGKILL one, and start it again: its requests are another's."""
        self.replace(ServerProcess.kill)

    def stop_a_server(self) -> None:
        """SIGTERM one, and start it again."""
        self.replace(lambda server: server.terminate(30))

    def replace(self, end: Callable[[ServerProcess], object]) -> None:
        """End one of the servers and start it again."""
        self.proxies[1].heal()  # to start, it needs a broker
        server = self.rng.choice(self.servers)
        end(server)
        server.kill()
        server.start()

    def close_connections(self) -> None:
        """Have the broker close every connection."""
        self.broker.close_all_connections("storm")

    def cut(self) -> None:
        """Reset the connections of the clients or of the servers."""
        self.rng.choice(self.proxies).cut()

    def delay(self) -> None:
        """Slow the network down."""
        self.rng.choice(self.proxies).delay(self.rng.choice([0.01, 0.1]))

    def swallow(self) -> None:
        """Lose what is sent, one way or both."""
        ways: list[Direction] = ["both", "to_broker", "to_client"]
        self.rng.choice(self.proxies).black_hole(self.rng.choice(ways))

    def refuse(self) -> None:
        """Reset connections, and refuse new ones."""
        self.rng.choice(self.proxies).refuse()

    def heal(self) -> None:
        """Let the sun shine."""
        for proxy in self.proxies:
            proxy.heal()

    def send_stray_replies(self) -> None:
        """Send broken replies and foreign ids to every callback queue."""
        for name in self.broker.queue_names():
            if name != self.queue:
                self.send(name, correlation_id=self.rng.choice(["1", None, "x.1"]))

    def send_bad_requests(self) -> None:
        """Send requests that are none, with and without a way back."""
        self.send(self.queue, correlation_id="1")
        self.send(self.queue, reply_to=self.queue)
        self.send(self.queue, reply_to="no such queue")

    def send(self, queue: str, **properties: Any) -> None:
        """Send every kind of broken message."""
        with pika.BlockingConnection(pika.URLParameters(self.broker.url)) as neutral:
            channel = neutral.channel()
            for body in STRAYS:
                kind = self.rng.choice([None, "application/json", "application/x-python-serialize"])
                values = pika.BasicProperties(content_type=kind, **properties)
                channel.basic_publish("", queue, body, values)


def storm(backend: str, broker: OpenBroker, queue: str, seconds: float, seed: int) -> None:
    """Let it blow, and fail unless every call ended rightly and the service works afterwards."""
    with ExitStack() as stack:
        weather = Storm(backend, broker, queue, random.Random(seed), stack)
        end = time.monotonic() + seconds
        try:
            with Load(*weather.clients, callers=3, timeout=4, seed=seed) as load:
                while time.monotonic() < end:
                    weather.blow()
                    wait_for_some_calls(load, weather.rng)
        finally:
            print(f"\n{backend}, seed {seed}, {seconds:g} s: {load.summary}")
            faults = Counter(weather.weather).most_common()
            print("faults: " + ", ".join(f"{name}: {count}" for name, count in faults))
        load.assert_no_fault(RpcConnectionLost, RpcTimeout, *RpcTimeout.__subclasses__())
        assert load.outcomes["answered"] > 5 * seconds
        weather.heal()
        for client in weather.clients:
            answer_again(client)
            assert client.stats.in_flight == 0
        assert all(server.running for server in weather.servers)


def wait_for_some_calls(load: Load, rng: random.Random) -> None:
    """Wait until some calls have ended, one way or another; at most as long as all take to fail."""
    enough = load.outcomes.total() + rng.randrange(100)
    wait_until(lambda: load.outcomes.total() >= enough, f"{enough} ends: {load.summary}", 60 + LATE)


def answer_again(client: RpcClient) -> None:
    """Fail unless the client gets an answer, once it has noticed what was lost."""

    def answered() -> bool:
        try:
            return client.call(10, timeout=10) == 55
        except (RpcConnectionLost, RpcTimeout):
            return False

    wait_until(answered, "an answer", 60)


@pytest.mark.timeout(150)
def test_storm(backend: str, open_broker: OpenBroker, queue: str) -> None:
    """C12: in a storm every call is answered rightly or fails in time; afterwards all work."""
    storm(backend, open_broker, queue, SHORT, SEED)


@pytest.mark.soak
@pytest.mark.timeout(LONG + 200)
def test_long_storm(backend: str, open_broker: OpenBroker, queue: str) -> None:
    """C12: the same for $SOAK_SECONDS (600), with $SOAK_SEED (1)."""
    storm(backend, open_broker, queue, LONG, SEED)
