"""C5: the server computes what expired while it held it."""

from typing import Any

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C5"}


class Server(_base.Server):
    def _compute(self, channel: Any, tag: int, properties: Any, *others: Any) -> None:
        properties.expiration = None
        super()._compute(channel, tag, properties, *others)
