"""A worker with Celery's defaults, but for what the command line says: concurrency and prefetch."""

import os
import sys
from typing import Any

from celery.signals import worker_ready

from benchmarks.first_celery.app import make_app
from rpc_core.programs import READY_LINE, ServerOptions, parse_server_options


@worker_ready.connect
def print_ready(**_: Any) -> None:
    """Print the ready line on the real standard output: Celery redirects `sys.stdout` to its log."""
    print(READY_LINE, file=sys.__stdout__, flush=True)


def serve(options: ServerOptions) -> None:
    """Answer until SIGTERM."""
    app = make_app(options.urls[0], options.queue, options.function)
    # Celery counts per process of its pool
    app.conf.worker_prefetch_multiplier = max(1, options.prefetch // options.concurrency)
    app.worker_main(
        [
            "worker",
            f"--concurrency={options.concurrency}",
            f"--hostname={os.getpid()}@%h",  # two workers of one name do not start
            "--loglevel=WARNING",
        ]
    )


if __name__ == "__main__":
    serve(parse_server_options("first_celery"))
