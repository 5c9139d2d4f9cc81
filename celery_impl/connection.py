"""How Celery opens a connection; how it is read and closed stands in `kombu_common`, as in kombu_impl."""

import kombu
from celery import Celery

from kombu_common import connection
from kombu_common.hardening import keep_bodies_as_they_came, tls_options
from rpc_core.programs import ServerOptions
from rpc_core.request_queue import Arguments, open_as_it_is


class Connection(connection.Connection):
    """One connection, until it is closed or lost. One thread at a time uses it; others may only `wake` it."""

    def __init__(self, app: Celery, url: str, heartbeat: int) -> None:
        self.kombu: kombu.Connection = app.connection_for_write(
            url, heartbeat=heartbeat, ssl=tls_options(url)
        )
        super().__init__(self.kombu)
        keep_bodies_as_they_came(self.channel)


def open_connection(app: Celery, url: str, options: ServerOptions) -> Connection:
    """Return a worker's connection, with the request queue declared; or raise, and leave nothing open."""
    queue = app.amqp.queues[options.queue]

    def connect(arguments: Arguments) -> Connection:
        queue.queue_arguments = arguments  # with which Celery declares it
        return Connection(app, url, options.heartbeat)

    def declare(opened: Connection) -> None:
        queue(opened.channel).queue_declare()

    return open_as_it_is(connect, declare, Connection.failure, options.queue_type)
