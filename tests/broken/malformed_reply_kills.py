"""C13: a reply that cannot be read ends the client's thread."""

import sys

from rpc_core.pending import PendingCalls
from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C13"}
ALSO = {"C10"}


class Fragile(PendingCalls):
    def on_malformed_reply(self, error: Exception) -> None:
        super().on_malformed_reply(error)
        sys.exit()


class Client(_base.Client):
    pending_calls = Fragile
