"""The service on kombu: the same AMQP behind objects (Connection, Queue, Producer, Consumer), over py-amqp.

kombu gives declarations as objects, one interface over several brokers, serialisers, and errors sorted into kinds.
Its connections are blocking and not thread-safe: who reads, who writes and what happens after an error is yours.
"""

GAPS: dict[str, str] = {}
