"""C20: the server loads pickles, and so runs whatever they say."""

import pickle

from contract.wire import Reply
from rpc_core.server import Request
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C20"}
ALSO = {"C9"}
CAUGHT_BY = {"test_no_pickle_is_accepted"}


class Server(_base.Server):
    def _compute(self, request: Request) -> Reply | None:
        if request.content_type == "application/x-python-serialize":
            request.body, request.content_type = str(pickle.loads(request.body)).encode(), None
        return super()._compute(request)
