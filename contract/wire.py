"""The wire format that raw_pika and kombu_impl share with RabbitMQ's tutorial six, in bytes and properties.

request   body `30`, `reply_to`, `correlation_id`, `expiration` (milliseconds left, as text)
reply     body `832040`, the request's `correlation_id`
error     property `type` is `error`, body `{"error": "InvalidRequest", "message": "..."}`; when the
          function raised: `{"error": "RemoteError", "type": "ValueError", "message": "..."}`

All three carry `content_type: application/json`. A tutorial client or server sets none, which is accepted.
"""

import json
import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from contract.errors import InvalidRequest, MalformedReply, RemoteError, RpcError
from contract.fibonacci import check_n

CONTENT_TYPE = "application/json"
ERROR_TYPE = "error"
MAX_BODY = 1024  # bytes of a request; the longest valid one has 5
DELIVERY_LIMIT = 5  # times a quorum queue delivers a request that nobody acknowledges (C23)
MAX_MESSAGE = 1000  # characters of an error's text that are passed on

STRICT_JSON = json.JSONEncoder(allow_nan=False)  # once: json.dumps would build one for every call

log = logging.getLogger(__name__)


class Reply(NamedTuple):
    """A reply's body and its `type` property (`None`, or `"error"`)."""

    body: bytes
    type: str | None = None


def check_queue(name: str) -> str:
    """Return a name that a request queue can have.

    Raises:
        ValueError: it is empty, so that the broker would make one up, or longer than AMQP allows, or no text.
    """
    encoded = name.encode(errors="surrogateescape")
    if not (0 < len(encoded) < 2**8 and is_text(encoded)):
        raise ValueError(f"a queue's name must have 1 to 255 bytes of text, not {name!r:.80}")
    return name


def check_heartbeat(seconds: int) -> int:
    """Return a heartbeat that can be agreed on with the broker.

    Raises:
        ValueError: it is not a whole number of seconds from 1 to 65,535; 0 would mean none, and nothing to go by.
    """
    if type(seconds) is not int or not 0 < seconds < 2**16:
        raise ValueError(f"heartbeat must be whole seconds from 1 to 65535, not {seconds!r:.50}")
    return seconds


def queue_arguments(queue_type: str) -> dict[str, Any]:
    """Return the arguments that everyone must declare the request queue with (C23), or be refused."""
    if queue_type == "quorum":
        return {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT}
    return {"x-queue-type": queue_type}


def encode_request(n: object) -> bytes:
    """Return n as a request's body. The server judges it; here only what JSON cannot carry is refused.

    Raises:
        InvalidRequest: JSON has no way to write n.
    """
    try:
        return STRICT_JSON.encode(n).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"not JSON: {error}") from None


def decode_request(body: bytes, content_type: str | None) -> int:
    """Return the n that a request asks for (C9).

    Raises:
        InvalidRequest: the request is not one integer within the limits, written as JSON.
    """
    if not is_json(content_type):
        raise InvalidRequest(f"content type must be {CONTENT_TYPE}, not {content_type!r:.100}")
    if len(body) > MAX_BODY:
        raise InvalidRequest(f"body must be at most {MAX_BODY} bytes, and has {len(body)}")
    try:
        n = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"body is not JSON: {error}") from None
    return check_n(n)


def answer(function: Callable[[int], int], body: bytes, content_type: str | None) -> Reply:
    """Compute one request and return what to reply (C9, C10). Never raises, whatever the function does."""
    try:
        n = decode_request(body, content_type)
    except InvalidRequest as error:
        log.warning("invalid request: %s", error)
        return error_reply(error)
    try:
        return Reply(encode_result(function(n)))
    except BaseException as error:  # SystemExit too: a function must not be able to end its server
        log.exception("the function raised")
        return error_reply(error)


def encode_result(result: object) -> bytes:
    """Return the function's result as a reply's body.

    Raises:
        TypeError: it is not an integer.
        ValueError: it has more digits than Python turns into text (4,300).
    """
    if type(result) is not int:
        raise TypeError(f"the function returned {type(result).__name__}, not int")
    return str(result).encode()


def error_reply(error: BaseException) -> Reply:
    """Return the reply that carries an error's type name and message, and nothing else of it."""
    if isinstance(error, InvalidRequest):
        content = {"error": "InvalidRequest", "message": message_of(error)}
    else:
        content = {
            "error": "RemoteError",
            "type": type(error).__name__,
            "message": message_of(error),
        }
    return Reply(json.dumps(content).encode(), ERROR_TYPE)


def message_of(error: BaseException) -> str:
    """Return an exception's text, cut to `MAX_MESSAGE` characters, also when its `__str__` raises."""
    try:
        return str(error)[:MAX_MESSAGE]
    except BaseException:  # SystemExit too: a function must not end its server
        return "(its message cannot be shown)"


def decode_reply(body: bytes, content_type: str | None, type_: str | None) -> int | RpcError:
    """Return a reply's result, or the error that it carries.

    Raises:
        MalformedReply: it is neither (C13).
    """
    try:
        content: Any = json.loads(body.decode()) if is_json(content_type) else None
    except (ValueError, RecursionError):
        content = None
    match type_, content:
        case ((None | ""), int()) if type(content) is int:
            return content
        case "error", {"error": "InvalidRequest", "message": str(message)}:
            return InvalidRequest(message)
        case "error", {"error": str(name), "message": str(message)}:
            return RemoteError(str(content.get("type", name)), message)
    raise MalformedReply(
        f"not a reply: type {type_!r:.20}, {content_type!r:.50}, body {body!r:.100}"
    )


def readable_properties(encoded: bytes) -> bytes:
    """Return a message's properties, as AMQP encodes them, without those that a library may fail to read.

    A library that raises gives its message back to the queue, which gives it to the next server (C9). Left
    out are headers (nested too deep, dates after the year 9999), the timestamp, and text that is not UTF-8.
    """
    flags, kept, pieces, at = int.from_bytes(encoded[:2]), 0, b"", 2
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
    return kept.to_bytes(2) + pieces


def is_text(value: bytes | str) -> bool:
    """Whether this is text, or bytes that are UTF-8, as AMQP wants all text to be."""
    try:
        if isinstance(value, bytes):
            value.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_json(content_type: object) -> bool:
    """Whether a body of this content type is read as JSON: an absent one is (the tutorial's)."""
    if not content_type:
        return True
    if not isinstance(content_type, str):  # pika leaves bytes where it finds no UTF-8
        return False
    return content_type.partition(";")[0].strip().lower() == CONTENT_TYPE
