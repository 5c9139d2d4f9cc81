"""A server that is a Celery worker, with a pool of threads that computes.

What Celery does here: the worker, which is made of steps and pools to choose from; the task; the
order of work, which is to compute, to store the result, to acknowledge.
What it leaves to you: what a task may raise without harm, and the consumer (`consumer.py`).
"""

import logging
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from celery.app.trace import setup_worker_optimizations
from celery.exceptions import Ignore

from celery_impl.app import TASK, make_app
from celery_impl.consumer import RpcConsumer
from contract.errors import InvalidRequest, RemoteError
from contract.wire import encode_result, message_of
from rpc_core.programs import ServerOptions, StopSignals, parse_server_options

log = logging.getLogger(__name__)


class FibonacciRpcServer:
    """Serves one function from one request queue, until SIGTERM or SIGINT."""

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self._app = make_app(
            "celery_impl server", options.queue, options.queue_arguments, options.heartbeat
        )
        # expected errors, which are the caller's to log
        self._app.task(name=TASK, bind=True, shared=False, throws=(InvalidRequest, RemoteError))(
            task_body(options.function)
        )

    def run(self) -> int:
        """Serve, and return the exit code."""
        # it logs a traceback when a connection that it clears away is lost, which is why it does
        logging.getLogger("celery.worker.loops").setLevel(logging.CRITICAL)
        setup_worker_optimizations(self._app)  # the pool's threads find the application by this
        with StopSignals(wake=lambda: None) as signals:  # the worker's event loop waits on them
            worker = self._app.WorkController(
                pool="threads",  # prefork answers for a killed child, and then nobody runs it again
                concurrency=self._options.concurrency,
                consumer_cls=partial(RpcConsumer, options=self._options, signals=signals),
                without_mingle=True,  # workers need not know one another (C19)
                without_gossip=True,
                without_heartbeat=True,  # events; AMQP's heartbeats are not meant
            )
            worker.start()
        return int(worker.exitcode or 0)


def task_body(function: Callable[[int], int]) -> Callable[[Any, int], int]:
    """Return the function as Celery shall run it."""

    def fibonacci(task: Any, n: int) -> int:
        if not task.request.wanted():  # C5: Celery acknowledges, and does not reply
            raise Ignore
        try:
            result = function(n)
            encode_result(result)  # whether it can be sent (C10)
        except InvalidRequest:
            raise
        except BaseException as error:  # SystemExit too: a function must not end its server
            log.exception("the function raised")
            raise RemoteError(type(error).__name__, message_of(error)) from None
        return result

    return fibonacci


if __name__ == "__main__":
    sys.exit(FibonacciRpcServer(parse_server_options("celery_impl")).run())
