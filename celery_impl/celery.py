"""What `celery -A celery_impl ...` finds: an application for Celery's own programs, at the broker `$AMQP_URL`.

`celery -A celery_impl worker` starts the server of this package, with `fib`; of its options -Q (one queue), -c and
-E count. With -E it sends events and obeys remote control: `celery status`, `celery inspect` and Flower see it.
"""

from typing import Any

from celery_impl.app import allow_connections, make_app
from celery_impl.rpc_server import FibonacciRpcServer
from rpc_core.addresses import broker_urls
from rpc_core.programs import parse_server_options
from rpc_core.request_queue import declared_arguments


class Worker:
    """What `celery worker` makes and starts; Celery's own would have none of what `consumer.py` mends."""

    def __init__(
        self,
        *,
        queues: list[str] | None = None,
        concurrency: int | None = None,
        task_events: bool = False,
        **_: Any,
    ) -> None:
        options = [f"--queue={queue}" for queue in queues or ()]
        if concurrency:
            options.append(f"--concurrency={concurrency}")
        parsed = parse_server_options("celery_impl", options)
        self._server = FibonacciRpcServer(parsed, monitored=task_events)
        self.exitcode: int | None = None

    def start(self) -> None:
        """Serve, until SIGTERM or SIGINT."""
        self.exitcode = self._server.run()


app = make_app("celery_impl command line", "rpc_queue", declared_arguments(None))
app.conf.broker_transport_options = {}  # ours are for how our programs read; Celery's read in another way
allow_connections(app, broker_urls(None))
app.Worker = Worker  # type: ignore[assignment,misc]
