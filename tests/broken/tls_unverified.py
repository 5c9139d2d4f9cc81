"""C20: the broker's certificate is not verified."""

import ssl
from unittest.mock import patch

import pika

from raw_pika import connection
from rpc_core.client import Link
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C20"}
CAUGHT_BY = {"test_tls_refused"}

parameters = connection.parameters


def unverified(url: str, heartbeat: int, name: str) -> pika.URLParameters:
    """Return pika's parameters for one broker, whoever answers there."""
    result = parameters(url, heartbeat, name)
    if url.startswith("amqps:"):
        result.ssl_options = pika.SSLOptions(ssl._create_unverified_context())
    return result


class Client(_base.Client):
    def _open(self, url: str) -> Link:
        with patch.object(connection, "parameters", unverified):
            return super()._open(url)
