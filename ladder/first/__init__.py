"""What people write first, for the suite to ask: each module adapts one program's signature, and adds nothing.

    pytest --backend ladder.first.kombu

The programs are those of the benchmarks: each layer as its own documentation begins, and each layer bare. A module
is a package as well, as an implementation has to be: its `__path__` leads to `_parts`.
"""
