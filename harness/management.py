"""The broker at `$AMQP_URL`, with RabbitMQ's management API: to look inside, and to close connections.

Tests do it in a virtual host of the run's own: nothing of anybody else's is counted, closed or left behind.
The API is at `$RABBITMQ_MANAGEMENT_URL`, else at port 15672 of the broker; the user of `$AMQP_URL` has to be an
administrator. Where that is not so, `suite_broker` gives a plain `ExternalBroker`.
"""

import base64
import http.client
import itertools
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import Request, urlopen

import pika
import pika.exceptions

from harness.broker import ExternalBroker, PrivateBroker, broker

PORT = 15672
TIMEOUT = 10.0  # seconds, for an answer
# Without it the API answers from statistics, which are up to five seconds old.
NOW = "?disable_stats=true"


class Unmanageable(RuntimeError):
    """The API cannot be reached, or does not let this user administer the broker."""


class ManagedBroker(ExternalBroker):
    """The broker at `$AMQP_URL`, in a virtual host that exists until the end of the `with` block.

    All that it tells and does is limited to that virtual host.
    """

    def __init__(self, url: str | None = None, management_url: str | None = None) -> None:
        """Prepare it; nothing is asked yet."""
        super().__init__(url)
        parts = urlsplit(self.url)
        self._user = unquote(parts.username or "guest")
        self._password = unquote(parts.password or "guest")
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        there = (
            management_url or os.environ.get("RABBITMQ_MANAGEMENT_URL") or f"http://{host}:{PORT}"
        )
        self.management_url = there.rstrip("/")
        self._vhost = f"fibonacci-rpc-test-{uuid.uuid4().hex[:12]}"
        self.url = parts._replace(path=f"/{self._vhost}").geturl()

    def __enter__(self) -> Self:
        """Make the virtual host. Raises Unmanageable."""
        if "administrator" not in self._ask("GET", "whoami")["tags"]:
            raise Unmanageable(f"{self.management_url}: {self._user} is no administrator")
        self._ask("PUT", f"vhosts/{self._vhost}", {})
        try:
            everything = dict.fromkeys(("configure", "write", "read"), ".*")
            self._ask("PUT", f"permissions/{self._vhost}/{escape(self._user)}", everything)
            pika.BlockingConnection(pika.URLParameters(self.url)).close()
        except pika.exceptions.AMQPError as error:
            self.__exit__(None, None, None)
            raise Unmanageable(f"{self.management_url} is another broker's: {error!r}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove it, with its queues."""
        self._ask("DELETE", f"vhosts/{self._vhost}")

    def queue_names(self) -> set[str]:
        """Return the names of all queues."""
        return {row["name"] for row in self._queues()}

    def unacknowledged(self, queue: str) -> int:
        """Return how many messages of a queue are delivered and not acknowledged."""
        [row] = [row for row in self._queues() if row["name"] == queue]
        return int(row["messages_unacknowledged"])

    def counts(self) -> dict[str, int]:
        """Return how many queues and connections there are; channels are in the statistics only.

        A connection is listed a moment after its client is told that it is open.
        """
        return {"queues": len(self._queues()), "connections": len(self._connections())}

    def close_all_connections(self, reason: str = "closed by the harness") -> None:
        """Have the broker close every connection that is listed, with a connection.close that says `reason`."""
        for name in self._connections():
            try:
                self._ask("DELETE", f"connections/{escape(name)}{NOW}", reason=reason)
            except Unmanageable as error:
                cause = error.__cause__
                if not (isinstance(cause, HTTPError) and cause.code == 404):  # it ended by itself
                    raise

    @contextmanager
    def limit_connections(self, connections: int) -> Iterator[None]:
        """Let there be so many connections; the broker refuses further ones with 530."""
        limit = f"vhost-limits/{self._vhost}/max-connections"
        self._ask("PUT", limit, {"value": connections})
        try:
            yield
        finally:
            self._ask("DELETE", limit)

    def _queues(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._ask(
            "GET", f"queues/{self._vhost}{NOW}&enable_queue_totals=true"
        )
        return rows

    def _connections(self) -> set[str]:
        # from RabbitMQ 4.3 on, only the second has those of the last five seconds; it knows one user's
        lists = f"connections{NOW}", f"connections/username/{escape(self._user)}{NOW}"
        rows = itertools.chain.from_iterable(self._ask("GET", path) for path in lists)
        return {row["name"] for row in rows if row.get("vhost") == self._vhost}

    def _ask(self, method: str, path: str, content: Any = None, reason: str = "") -> Any:
        login = base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
        request = Request(
            f"{self.management_url}/api/{path}",
            method=method,
            data=None if content is None else json.dumps(content).encode(),
            headers={
                "Authorization": f"Basic {login}",
                "Content-Type": "application/json",
                "X-Reason": reason,
            },
        )
        try:
            with urlopen(request, timeout=TIMEOUT) as answer:
                return json.loads(answer.read() or "null")
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, HTTPError):
                error.close()  # it is an answer too, and Python warns of one that is left open
            raise Unmanageable(f"{self.management_url}: {method} {path}: {error}") from error


def escape(name: str) -> str:
    """Return a name as a part of a path."""
    return quote(name, safe="")


@contextmanager
def suite_broker() -> Iterator[PrivateBroker | ExternalBroker]:
    """Give what `broker()` does, as a ManagedBroker if that is possible.

    Raises Unmanageable where `$RABBITMQ_MANAGEMENT_URL` names an API that cannot be used.
    """
    node = broker()
    with ExitStack() as stack:
        if isinstance(node, ExternalBroker):
            try:
                node = stack.enter_context(ManagedBroker(node.url))
            except Unmanageable:
                if "RABBITMQ_MANAGEMENT_URL" in os.environ:
                    raise
        else:
            stack.enter_context(node)
        yield node
