"""What a run was made on: the broker's and the libraries' versions, and the machine."""

import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import psutil

from benchmarks.protocol_baseline.wire import Connection
from harness.broker import ExternalBroker, PrivateBroker

LIBRARIES = [
    *("pika", "kombu", "amqp", "celery", "aio-pika", "faststream", "pamqp", "pytest-benchmark"),
]
LOAD_BEFORE = round(psutil.getloadavg()[0], 2)
"""The load average over a minute when this was imported: before the run has started anything itself."""


def describe(broker: PrivateBroker | ExternalBroker) -> dict[str, Any]:
    """Return what everybody who reads the figures has to know."""
    connection = Connection(broker.url)
    server = connection.server_properties
    connection.close()
    # what this process may use, where that can be asked; not what the machine has
    usable = (
        os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    )
    libraries = {}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            libraries[name] = version(name)
    return {
        "rabbitmq": str(server.get("version")),
        "erlang": str(server.get("platform", "")).removeprefix("Erlang/OTP "),
        "private_broker": isinstance(broker, PrivateBroker),
        "libraries": libraries,
        "python": platform.python_version(),
        "cpus": len(usable),
        "load_before": LOAD_BEFORE,
    }
