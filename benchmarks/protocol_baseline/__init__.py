"""The protocol baseline: request and reply as AMQP frames encoded beforehand, over a blocking socket at both ends.

What is left is the broker, the kernel and an integer parse. No client can be faster with this broker.
It keeps none of the contract's guarantees: no deadline, no reconnecting, no heartbeat, one thread.
"""
