"""A worker with the pool that is no pool: the task runs where the message was read."""

import os
import sys
from typing import Any

from celery.signals import worker_ready

from benchmarks.bare_celery.app import make_app
from rpc_core.programs import READY_LINE, ServerOptions, parse_server_options


@worker_ready.connect
def print_ready(**_: Any) -> None:
    """Print the ready line on the real standard output: Celery redirects `sys.stdout` to its log."""
    print(READY_LINE, file=sys.__stdout__, flush=True)


def serve(options: ServerOptions) -> None:
    """Answer until SIGTERM."""
    app = make_app(options.urls[0], options.queue, options.function)
    app.conf.worker_prefetch_multiplier = options.prefetch
    app.worker_main(
        [
            "worker",
            "--pool=solo",
            "--without-mingle",
            "--without-gossip",
            "--without-heartbeat",
            f"--hostname={os.getpid()}@%h",  # two workers of one name do not start
            "--loglevel=WARNING",
        ]
    )


if __name__ == "__main__":
    serve(parse_server_options("bare_celery"))
