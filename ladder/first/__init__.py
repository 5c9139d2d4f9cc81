"""What people write first, for the suite to ask: each module adapts one program's signature.

    pytest --backend ladder.first.kombu

A module adds what a caller would: threads, an event loop, the heartbeat that is asked for in the address. The
programs are those of the benchmarks: each layer as its own documentation begins, and each layer bare. A module
is a package as well, as an implementation has to be: its `__path__` leads to `_parts`.
"""
