"""Celery with settings only: its first steps, and settings that help to keep the contract. No subclass.

Celery's own errors are translated by name, so that what it does about a clause counts.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.exceptions import TimeoutError as NoResult
from celery.signals import worker_ready
from kombu import Queue, pools
from kombu.exceptions import OperationalError

from contract import RemoteError, RpcConnectionLost, RpcTimeout, fib
from ladder import adapter
from ladder.threads import ThreadedClient
from rpc_core.programs import READY_LINE, ServerOptions
from rpc_core.request_queue import Arguments

__path__ = adapter.PARTS


def make_app(urls: list[str], queue: str, queue_arguments: Arguments, heartbeat: int) -> Celery:
    """Return the application, with its settings."""
    app = Celery("ladder", broker=";".join(urls), backend="rpc://")  # C12, C18: one, then the next
    app.conf.update(
        task_queues=[Queue(queue, durable=True, queue_arguments=queue_arguments)],
        task_default_queue=queue,
        task_acks_late=True,  # C14: after the function; by default before it
        task_reject_on_worker_lost=True,  # C11: a process of the pool that is killed loses no request
        # C12: what may have been sent is not sent again; nor is what met a dead connection of the pool
        task_publish_retry=False,
        broker_heartbeat=heartbeat,  # C16
        broker_connection_max_retries=None,  # C18: by default 100 attempts
        broker_connection_retry_on_startup=True,
    )
    return app


def make_task(app: Celery, function: Callable[[int], int]) -> Any:
    """Return the task that runs this function."""

    @app.task(name="fib", shared=False)
    def task(n: int) -> int:
        return function(n)

    return task


class Client(ThreadedClient):
    """`apply_async` with an expiration, and `get` with a timeout."""

    connects_again = True

    def open(self) -> None:
        """Make the application; it connects at the first call."""
        self._app = make_app(self.urls, self.queue, self.queue_arguments, self.heartbeat)
        self._task = make_task(self._app, fib)
        super().open()

    def call(self, n: int, *, timeout: float | None = None) -> int:
        """Return fib(n), or raise what Celery raises, under the contract's names."""
        timeout = self.timeout if timeout is None else timeout
        try:
            answer: int = self._task.apply_async((n,), expires=timeout).get(timeout=timeout)
            return answer
        except NoResult as error:
            raise RpcTimeout(str(error)) from None
        except (OperationalError, ConnectionError) as error:
            raise RpcConnectionLost(str(error)) from None
        except Exception as error:  # the function's own, which Celery makes again from its name
            raise RemoteError(type(error).__name__, str(error)) from None

    def close(self) -> None:
        """Close the application's connections."""
        super().close()
        self.stop_consuming()
        self._app.close()
        # the process's, by address: else the next client gets connections that a test has cut
        pools.reset()


@worker_ready.connect
def print_ready(**_: Any) -> None:
    """Tell whoever started the worker: on the real standard output, which Celery turns into a log."""
    print(READY_LINE, file=sys.__stdout__, flush=True)


def serve(options: ServerOptions) -> None:
    """Be a Celery worker."""
    app = make_app(options.urls, options.queue, options.queue_arguments, options.heartbeat)
    # C15: Celery counts for each process of its pool, so --prefetch is rounded down; by default 4
    app.conf.worker_prefetch_multiplier = max(1, options.prefetch // options.concurrency)
    make_task(app, options.function)
    concurrency = f"--concurrency={options.concurrency}"
    name = f"--hostname={os.getpid()}@%h"  # two workers of one name do not start
    app.worker_main(["worker", concurrency, name, "--loglevel=WARNING"])
