"""The machinery's own time limits, in seconds. Those that a clause states are in `contract.limits`."""

CONNECT_TIMEOUT = 5.0
"""For one broker, from TCP to AMQP, and for each answer while setting up; then the next address is tried."""

IO_TIMEOUT = 2.0
"""For a write that is stuck, or the rest of a frame; then the connection counts as lost."""

CLOSE_TIMEOUT = 1.0
"""For the broker's word to a close; a silent broker must not delay close() (C8)."""

RECONNECT_DELAY = 0.25
"""Between two attempts to connect (C12, C18); doubled at each, up to `MAX_RECONNECT_DELAY`."""

MAX_RECONNECT_DELAY = 2.0

FAIL_FAST_AFTER = 0.5
"""C6: when a `fail_fast` call asks whether anyone serves; a server restarts quicker."""

ASK_BEFORE_DEADLINE = 0.25
"""C6: when any other call asks; the answer must be there when the deadline is."""

SCAN_INTERVAL = 0.01
"""C4: between two looks at the deadlines, at the least; `DEADLINE_TOLERANCE` is ten times that."""

STEP_ASIDE = 0.05
"""Without a call for so long, a client's background thread reads again, which it had left to callers."""

SEND_TOGETHER = 65_536
"""Bytes that wait for the next read at most, to be sent at once. What exceeds it is sent when it is published."""

KEEP_ALIVE_INTERVAL = 0.05
"""C16: between two looks at the connection while the server's main thread computes."""

HOLD_BACK = 0.005
"""A reply may wait for others that take the server's main thread so long together, to be sent with them."""
