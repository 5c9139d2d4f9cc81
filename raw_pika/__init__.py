"""The service on pika alone: AMQP as it is, with nothing between you and the protocol.

pika gives frames, channels, an event loop and callbacks. To connect, declare, consume, publish,
reply and acknowledge is written out here, and that is the lesson. Deadlines, threads, connecting
again and stopping do not depend on the layer, and stand in `rpc_core`.
"""

UNSUPPORTED: dict[str, str] = {}
