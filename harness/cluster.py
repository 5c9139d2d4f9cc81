"""Several private RabbitMQ nodes, joined into one cluster."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from harness.broker import Distribution, PrivateBroker


class Cluster:
    """RabbitMQ nodes in one cluster, started together; a context manager.

    Any node may be stopped or killed and started again; it then rejoins by itself.
    """

    def __init__(
        self,
        size: int = 3,
        *,
        config: Mapping[str, str] | None = None,
        start_timeout: float = 120.0,
    ) -> None:
        """Prepare `size` nodes; `config` adds lines to the rabbitmq.conf of each.

        `start_timeout` is in seconds. Raises BrokerNotInstalled.
        """
        self._distribution = Distribution()
        self.nodes = [
            PrivateBroker(
                config=config, distribution=self._distribution, start_timeout=start_timeout
            )
            for _ in range(size)
        ]
        peers = {
            f"cluster_formation.classic_config.nodes.{number}": node.node
            for number, node in enumerate(self.nodes, start=1)
        }
        discovery = {
            "cluster_formation.peer_discovery_backend": "classic_config",
            # Milliseconds: the first node looks ten times for one to join, while the rest wait.
            "cluster_formation.discovery_retry_interval": "100",
        }
        for node in self.nodes:
            node.config |= discovery | peers
        self._running = ExitStack()

    @property
    def urls(self) -> list[str]:
        """The address of every node."""
        return [node.url for node in self.nodes]

    @property
    def url(self) -> str:
        """The addresses of all nodes in one string, separated by ";"."""
        return ";".join(self.urls)

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            starting.callback(self._distribution.stop)
            for node in self.nodes:
                starting.callback(node.close)
            self._distribution.start()
            with ThreadPoolExecutor(len(self.nodes)) as pool:
                list(pool.map(PrivateBroker.start, self.nodes))
            self._running = starting.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._running.close()
