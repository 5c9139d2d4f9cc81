"""C13: a reply with an integer is a result, also when its type says that it is an error."""

from rpc_core.pending import PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C13"}
CAUGHT_BY = {"test_counters_of_replies"}


class Gullible(PendingCalls):
    def on_reply(
        self, id_: str | None, body: bytes, content_type: str | None, type_: str | None
    ) -> None:
        super().on_reply(id_, body, content_type, None if body.isdigit() else type_)


class Client(_base.Client):
    pending_calls = Gullible
