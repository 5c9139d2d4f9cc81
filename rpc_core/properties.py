"""C9, C13: message properties without those that a library may fail to decode. The lesson can do without it.

pika and py-amqp raise out of their loops at some messages that a broker passes on. See who calls this.
"""

CORRELATION_ID = 10  # the bit of its flag


def strip_undecodable_properties(encoded: bytes) -> tuple[bytes, bytes | None]:
    """Return a message's properties, as AMQP encodes them, without those that a library may fail to read.

    And the correlation id, if it is one of those: it has to go back as it came, and may be any bytes
    (Erlang's client makes 16 random ones).

    A library that raises gives its message back to the queue, which gives it to the next server (C9). Left
    out are headers (nested too deep, dates after the year 9999), the timestamp, and text that is not UTF-8.
    """
    flags, kept, pieces, at = int.from_bytes(encoded[:2]), 0, b"", 2
    binary_id = None
    # content type, content encoding, headers, delivery mode, priority, correlation id, reply-to,
    # expiration, message id, timestamp, type, user id, app id, cluster id: short text, table, byte, date
    for bit, kind in zip(range(15, 1, -1), "sstbbssssdssss", strict=True):
        if not flags & 1 << bit:
            continue
        prefix = {"s": 1, "t": 4}.get(kind, 0)  # bytes that tell the length of what follows
        size = int.from_bytes(encoded[at : at + prefix]) if prefix else {"b": 1, "d": 8}[kind]
        piece = encoded[at : at + prefix + size]
        at += prefix + size
        if kind == "b" or (kind == "s" and is_text(piece[prefix:])):
            kept |= 1 << bit
            pieces += piece
        elif bit == CORRELATION_ID:
            binary_id = piece[prefix:]
    return kept.to_bytes(2) + pieces, binary_id


def is_text(value: bytes | str) -> bool:
    """Whether this is text, or bytes that are UTF-8, as AMQP wants all text to be."""
    try:
        if isinstance(value, bytes):
            value.decode()
    except UnicodeDecodeError:
        return False
    return True
