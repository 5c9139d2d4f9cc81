"""A server that is a Celery worker, with a pool of threads that computes.

What Celery does here: the worker, which is made of steps and pools to choose from; the task; the order of work,
which is to compute, to store the result, to acknowledge.
What it leaves to you: what a task may raise without harm, and the consumer (`consumer.py`).
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import celery
from celery.app.trace import setup_worker_optimizations
from celery.exceptions import Ignore
from kombu.utils.compat import detect_environment

from celery_impl.app import TASK, allow_connections, make_app
from celery_impl.consumer import RpcConsumer
from contract.errors import InvalidRequest, RemoteError
from contract.wire import encode_result, message_of
from rpc_core.programs import EXIT_USAGE, ServerOptions, parse_server_options


class FibonacciRpcServer:
    """Serves one function from one request queue, until SIGTERM or SIGINT.

    `monitored` has the worker send events and obey remote control, as `celery status` and Flower need.
    """

    def __init__(self, options: ServerOptions, *, monitored: bool = False) -> None:
        self._options = options
        self._monitored = monitored
        # no arguments yet, which are for the declaration: Celery would add 28 queues to a quorum queue, for `eta`
        self._app = make_app("celery_impl server", options.queue, {})
        if monitored:
            allow_connections(self._app, options.urls)
        # bind: with the request, else n alone; not shared: else other applications in this process have it too
        self._app.task(name=TASK, bind=True, shared=False)(task_body(options))

    def run(self) -> int:
        """Serve, and return the exit code."""
        if (reason := obstacle()) is not None:
            print(f"python -m celery_impl.rpc_server: {reason}", file=sys.stderr)
            return EXIT_USAGE
        setup_worker_optimizations(self._app)  # the pool's threads find the application by this
        worker = self._app.WorkController(
            pool="threads",  # prefork answers for a killed child, or (a setting) runs its task for ever
            concurrency=self._options.concurrency,
            consumer_cls=partial(
                RpcConsumer, options=self._options
            ),  # else Celery's: see `consumer.py`
            use_eventloop=False,  # the consumer has a loop of its own
            prefetch_multiplier=0,  # the consumer sets it: Celery's is a multiple of the concurrency
            without_mingle=True,  # else it asks other workers what they know, and waits a second
            without_gossip=True,  # else a queue for other workers' events, and a connection for its own
            without_heartbeat=not self._monitored,  # events; AMQP's heartbeats are not meant
            task_events=self._monitored,
        )
        with worker.consumer.signals:  # type: ignore[attr-defined]  # not in the stub
            worker.start()
        return int(worker.exitcode or 0)


def obstacle() -> str | None:
    """Return why the worker cannot run here, if it cannot."""
    if celery.VERSION < (5, 7):  # its consumer has no `call_soon_ack`: nothing would be answered
        return f"Celery 5.7 or newer is needed, not {celery.__version__}"
    if (environment := detect_environment()) != "default":
        return f"sockets patched by {environment} are not supported: Celery connects there without a limit"
    return None


def task_body(options: ServerOptions) -> Callable[[Any, Any], Any]:
    """Return the function as Celery shall run it, in a thread of the pool."""

    def fibonacci(task: "celery.Task[[int], int]", n: Any) -> Any:
        # C5: Celery acknowledges then, and does not reply
        if not task.request.message.begin():  # type: ignore[attr-defined]  # from `requests.rewrite`
            raise Ignore
        try:
            result = options.function(n)
            encode_result(result, options.service)  # whether it can be sent (C10)
        except InvalidRequest:
            raise
        except BaseException as error:  # SystemExit too, which Celery would not answer
            raise RemoteError(type(error).__name__, message_of(error)) from error
        return result

    return fibonacci


if __name__ == "__main__":
    sys.exit(FibonacciRpcServer(parse_server_options("celery_impl")).run())
