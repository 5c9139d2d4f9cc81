"""C20: the server loads pickles, and so runs whatever they say."""

import pickle
from typing import Any

from contract.wire import Reply
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C20"}
ALSO = {"C9"}
CAUGHT_BY = {"test_no_pickle_is_accepted"}


class Server(_base.Server):
    def answer(self, function: Any, body: bytes, content_type: str | None) -> Reply:
        if content_type == "application/x-python-serialize":
            body, content_type = str(pickle.loads(body)).encode(), None
        return super().answer(function, body, content_type)
