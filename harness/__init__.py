"""What runs things: a private RabbitMQ, server processes, fault injection.

It imports no implementation: a server is named by its package, a function by `MODULE:ATTR`.

| module | what it gives |
| --- | --- |
| `broker` | a RabbitMQ node of one's own, or the one at `$AMQP_URL` |
| `management` | looks into the broker at `$AMQP_URL`, in a virtual host of the run's own |
| `cluster` | several such nodes, joined |
| `server` | an RPC server as a user would start it |
| `program` | any child process: its output, its end, and its children's end |
| `guardian` | clears away what a killed test run leaves behind |
| `proxy` | a TCP proxy that delays, cuts, refuses and swallows |
| `wire_dump` | a call as it passes over the wire |
| `implementations` | the three by name, and how another is found |
| `functions` | functions for `--function`, mostly badly behaved |
"""
