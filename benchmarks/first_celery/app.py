"""The Celery application, which client and server share."""

from collections.abc import Callable
from typing import Any

from celery import Celery


def make_app(url: str, queue: str, function: Callable[[int], int]) -> Any:
    """Return an application whose task `fib` runs this function."""
    app = Celery("first_celery", broker=url, backend="rpc://")
    app.conf.task_default_queue = queue

    @app.task(name="fib", shared=False)  # several applications live in the benchmark's process
    def fib(n: int) -> int:
        return function(n)

    return app
