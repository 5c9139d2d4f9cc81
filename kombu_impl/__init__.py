"""The service on kombu: the same AMQP behind objects (Connection, Queue, Producer, Consumer), over py-amqp.

kombu gives declarations as objects, one interface over several brokers, serialisers, and errors sorted into kinds.
Its connections are blocking and not thread-safe. Which thread reads and writes, and what happens after an error,
is left to you: it does not depend on the layer, and stands in `rpc_core`.
"""

UNSUPPORTED: dict[str, str] = {}
