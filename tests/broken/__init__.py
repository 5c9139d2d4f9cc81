"""Small broken implementations, which the suite is shown to catch (`tests/test_suite_catches.py`).

Each module here is one of the three implementations with one thing wrong: raw_pika where `rpc_core`, which all
share, keeps the promise; and a layer (`LAYER`) where its own code does. It is a package too, as an implementation
has to be: its `__path__` leads to `_parts`, where `rpc_client` and `rpc_server` take the module's `Client` and
`Server`, or those of its layer. So each of them can be run by hand:

    pytest --backend tests.broken.replies_by_order
    python -m tests.broken.replies_by_order.rpc_server

Those that begin with `hang_` would keep a run from ending (`tests/test_suite_survives.py`).

| a module's | says |
| --- | --- |
| docstring | what is wrong with it |
| `LAYER` | the implementation that it derives from (left out for raw_pika) |
| `BREAKS` | the clauses that it breaks |
| `ALSO` | clauses that cannot be kept with that broken (left out if there are none) |
| `CAUGHT_BY` | tests that show it, where those that need nothing but a broker's address do not |
"""
