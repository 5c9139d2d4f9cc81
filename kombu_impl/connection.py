"""How kombu opens a connection; how it is read and closed stands in `kombu_common`, as Celery needs it too."""

import kombu

from kombu_common import connection
from kombu_common.hardening import keep_bodies_as_they_came, tls_options, transport_options
from rpc_core.limits import CONNECT_TIMEOUT


class Connection(connection.Connection):
    """One connection, until it is closed or lost. One thread at a time uses it; others may only `wake` it."""

    def __init__(self, url: str, heartbeat: int, name: str) -> None:
        super().__init__(
            kombu.Connection(
                url,
                heartbeat=heartbeat,
                connect_timeout=CONNECT_TIMEOUT,
                ssl=tls_options(url),
                transport_options=transport_options(name),
            )
        )
        keep_bodies_as_they_came(self.channel)
