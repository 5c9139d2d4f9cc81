"""C23: queue_type changes nothing."""

from dataclasses import replace
from typing import Any

from rpc_core.programs import ServerOptions
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C23"}


class Client(_base.Client):
    def __init__(self, url: str | None = None, **options: Any) -> None:
        super().__init__(url, **{**options, "queue_type": None})


class Server(_base.Server):
    def __init__(self, options: ServerOptions) -> None:
        super().__init__(replace(options, queue_type=None))
