"""The Celery application, which client and server share: as in its first steps, without what can be left out."""

from collections.abc import Callable
from typing import Any

from benchmarks.first_celery import app as first


def make_app(url: str, queue: str, function: Callable[[int], int]) -> Any:
    """Return an application whose task `fib` runs this function."""
    app = first.make_app(url, queue, function)
    app.conf.update(
        task_default_delivery_mode="transient",
        worker_enable_remote_control=False,
        task_default_exchange="",
    )
    return app
