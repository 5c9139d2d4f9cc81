"""C12: the calls in flight are told of a loss two seconds after the client has noticed it."""

from contract import RpcError
from rpc_core.pending import PendingCalls
from tests.broken import _base
from tests.waiting import idle

__path__ = _base.PARTS

BREAKS = {"C12"}
CAUGHT_BY = {"test_loss_is_told_at_once"}


class Late(PendingCalls):
    def fail_sent(self, error: RpcError) -> None:
        idle(2)
        super().fail_sent(error)


class Client(_base.Client):
    pending_calls = Late
