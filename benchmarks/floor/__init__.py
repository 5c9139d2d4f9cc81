"""The floor: request and reply as AMQP frames encoded beforehand, over a blocking socket, on both sides.

What is left is the broker, the kernel and an integer parse. Nobody gets under it with this broker.
It keeps none of the contract's guarantees: no deadline, no reconnecting, no heartbeat, one thread.
"""
