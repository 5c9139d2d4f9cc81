"""The limits that a clause states, once: the clauses, the code, the help texts and the tests read them here.

Times are in seconds.
"""

MAX_N = 10_000
"""C1. fib(10_000) has 2,090 digits; Python refuses to turn more than 4,300 digits into text."""

DEFAULT_TIMEOUT = 10.0
"""C4: how long a call waits that says nothing of it."""

MAX_TIMEOUT = 4_294_967.0
"""C4: about 49 days. RabbitMQ's `expiration` is an unsigned 32-bit number of milliseconds."""

DEADLINE_TOLERANCE = 0.1
"""C4: how late a call may end after its deadline, on an idle machine."""

FAIL_FAST_WITHIN = 1.0
"""C6: how soon a call with `fail_fast` fails when no server consumes the queue."""

LOSS_TOLD_WITHIN = 1.0
"""C12: how soon a call in flight fails once the client has noticed that its connection is lost."""

TIMED_OUT_CALLS = 10_000
"""C21: after so many calls that timed out nothing has grown."""

DEFAULT_HEARTBEAT = 30
"""C16, C21: the heartbeat timeout that client and server ask the broker for; each side sends twice as often."""

MAX_BODY = 1024
"""C9: bytes of a request; the longest valid one has 5."""

MAX_ERROR_TEXT = 1000
"""C10: characters of an error's text that are passed on."""
