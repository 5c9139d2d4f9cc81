"""C20: the broker's certificate is not verified."""

import ssl
from typing import Any
from unittest.mock import patch

import pika

import raw_pika.rpc_client
from raw_pika.connection import parameters
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C20"}
CAUGHT_BY = {"test_tls_refused"}


def unverified(url: str, heartbeat: int) -> pika.URLParameters:
    """Return pika's parameters for one broker, whoever answers there."""
    result = parameters(url, heartbeat)
    if url.startswith("amqps:"):
        result.ssl_options = pika.SSLOptions(ssl._create_unverified_context())
    return result


class Client(_base.Client):
    def __init__(self, url: str | None = None, **options: Any) -> None:
        with patch.object(raw_pika.rpc_client, "parameters", unverified):
            super().__init__(url, **options)
