"""The Celery application of client and server: one object with the settings, the protocol and the result backend.

Celery's defaults suit background jobs that may wait, and not calls that somebody waits for. Beside a setting that
changes one stands what Celery does without it.
"""

from typing import Any

import kombu
from celery import Celery
from celery.loaders.app import AppLoader
from kombu import Queue

from kombu_common.hardening import tls_options, transport_options
from rpc_core.limits import CONNECT_TIMEOUT
from rpc_core.request_queue import Arguments

TASK = "fibonacci"


class Loader(AppLoader):
    """Celery's loader would read `$CELERY_CONFIG_MODULE`, which is another application's."""

    def read_configuration(self, env: str = "") -> dict[str, Any]:
        """Return no settings but ours."""
        return {}


class App(Celery):
    """An application that keeps its settings: `$CELERY_BROKER_URL` and the like would overrule them."""

    backend_cls = "celery_impl.results:RpcBackend"  # else none: results would be thrown away

    def _connection(self, url: str | None, **options: Any) -> kombu.Connection:
        # a starting worker makes four only to look at their kind: to None, or to what the environment names
        ours = url is not None and url.startswith(("amqp:", "amqps:"))
        return super()._connection(url if ours else "amqp://", **options)  # type: ignore[misc, no-any-return]  # not in the stub


def make_app(name: str, queue: str, arguments: Arguments) -> Celery:
    """Return a Celery application with one task queue, and a name for its connections. It connects to nothing."""
    # else it would be the application of other code in this process; and Celery looks for Django's settings
    app = App("celery_impl", set_as_current=False, fixups=[], loader=Loader)
    app.conf.update(
        accept_content=["json"],  # C20: as by default, but stated: neither pickle nor anything else
        result_accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        task_queues=[Queue(queue, durable=True, queue_arguments=arguments)],
        task_default_queue=queue,  # else "celery"
        task_default_exchange="",  # else an exchange of the queue's name too, and a binding to it
        task_create_missing_queues=False,  # else a mistyped queue is made, and nobody consumes it
        task_default_delivery_mode="transient",  # else every request is written to disk
        task_acks_late=True,  # C11, C14: else acknowledged before it is computed
        result_backend_thread_safe=True,  # else a result backend for each thread
        broker_connection_timeout=CONNECT_TIMEOUT,  # else 4 s for TCP, which is less than for the other layers
        broker_transport_options=transport_options(f"{name} of {queue}"),
        broker_channel_error_retry=True,  # C18: else a channel that the broker closes ends the worker
        worker_enable_remote_control=False,  # else a queue more for each worker
    )
    return app


def allow_connections(app: Celery, urls: list[str]) -> None:
    """Tell where Celery may connect by itself: its command line does, and a worker for events and control."""
    app.conf.update(
        broker_url=";".join(urls),
        broker_use_ssl=tls_options(urls[0]),
        worker_enable_remote_control=True,
    )
