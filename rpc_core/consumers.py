"""C6: "does anyone serve?", as a state machine. Each call goes through it; one query serves all that ask.

    NOT_ASKED --- asks: old enough (fail_fast), or close to its deadline ---> ASKED
    ASKED --- no consumer ---> NO_CONSUMERS     the call fails now (fail_fast) or at its deadline
    ASKED --- some ----------> CONSUMERS        (fail_fast: back to NOT_ASKED, for servers may leave)
    ASKED --- lost, with the connection that was to bring the answer ---> NOT_ASKED
    any ----- the broker returned the request twice: there is no queue --> NO_CONSUMERS

No claim without an answer: a call that got none at its deadline is an `RpcTimeout`, and nothing more is said.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Protocol

from rpc_core.limits import ASK_BEFORE_DEADLINE, FAIL_FAST_AFTER


class Consumers(Enum):
    """What one call knows of the queue's consumers."""

    NOT_ASKED = "not asked"
    ASKED = "asked"
    NO_CONSUMERS = "no consumers"
    CONSUMERS = "consumers"


class AskingCall(Protocol):
    """What of a call the question needs."""

    deadline: float
    next_check: float
    consumers: Consumers


class ConsumerQuestion:
    """Keeps what calls know of the consumers. Used with the lock of the table of calls held."""

    def __init__(self, *, fail_fast: bool) -> None:
        self.fail_fast = fail_fast
        self._outstanding = False

    def first_check(self, now: float, timeout: float) -> float:
        """When a call that is made now should ask."""
        if self.fail_fast:
            return now + min(FAIL_FAST_AFTER, timeout / 2)
        return now + timeout - min(ASK_BEFORE_DEADLINE, timeout / 2)

    def ask(self, call: AskingCall) -> bool:
        """Have a call wait for the answer; return whether a query has to be sent."""
        call.consumers = Consumers.ASKED
        call.next_check = call.deadline
        send = not self._outstanding  # one outstanding query serves all calls
        self._outstanding = True
        return send

    def answered(self, count: int, asking: Iterable[AskingCall], now: float) -> bool:
        """Tell the calls that asked; return whether they fail at once."""
        self._outstanding = False
        for call in asking:
            call.consumers = Consumers.CONSUMERS if count else Consumers.NO_CONSUMERS
            again = call.deadline - ASK_BEFORE_DEADLINE
            if self.fail_fast and count and again - now > ASK_BEFORE_DEADLINE:
                call.consumers, call.next_check = Consumers.NOT_ASKED, again
        return self.fail_fast and not count

    def returned_twice(self, call: AskingCall) -> bool:
        """Somebody deletes the queue again and again; return whether the call fails at once."""
        call.consumers, call.next_check = Consumers.NO_CONSUMERS, call.deadline
        return self.fail_fast

    def lost(self, asking: Iterable[AskingCall], now: float) -> None:
        """The connection went away that was to bring the answer: whoever asked asks again."""
        self._outstanding = False
        for call in asking:
            call.consumers = Consumers.NOT_ASKED
            call.next_check = min(call.deadline, now + FAIL_FAST_AFTER)
