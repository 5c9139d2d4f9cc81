"""C9: an invalid task message leaves no line in the worker's log."""

import logging

from rpc_core.programs import ServerOptions
from tests.broken import _base, _celery

__path__ = _base.PARTS

LAYER = "celery_impl"
BREAKS = {"C9"}
CAUGHT_BY = {"test_log_of_invalid_requests"}


class Server(_celery.Server):
    def __init__(self, options: ServerOptions) -> None:
        super().__init__(options)
        logging.getLogger("celery_impl.requests").setLevel(logging.ERROR)
