"""The service on pika alone: AMQP as it is, with nothing between you and the protocol.

pika gives frames, channels, an event loop and callbacks. Reply queue, correlation,
threads, reconnecting and stopping are written out here, and that is the lesson.
"""

GAPS: dict[str, str] = {}
