"""C9: a task message may have further arguments, which are dropped in silence."""

import json
from typing import Any
from unittest.mock import patch

from celery_impl import requests
from celery_impl.requests import TaskMessage, decode_request
from kombu_common.hardening import body_of
from tests.broken import _base, _celery

__path__ = _base.PARTS

LAYER = "celery_impl"
BREAKS = {"C9"}
CAUGHT_BY = {"test_further_arguments"}


def decode_some(message: TaskMessage, *service: Any) -> Any:
    content: Any = None
    try:
        content = json.loads(body_of(message))
        message.body = json.dumps([content[0][:1], {}, {}]).encode()  # type: ignore[assignment]
    except (ValueError, TypeError, LookupError):
        pass
    return decode_request(message, *service)


class Server(_celery.Server):
    def run(self) -> int:
        with patch.object(requests, "decode_request", decode_some):
            return super().run()
