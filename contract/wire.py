"""Wire: what raw_pika and kombu_impl share with RabbitMQ's tutorial six, in bytes and properties.

request   body `30`, `reply_to`, `correlation_id`, `expiration` (milliseconds left, as text)
reply     body `832040`, the request's `correlation_id`
error     property `type` is `error`, body `{"error": "InvalidRequest", "message": "..."}`; when the
          function raised: `{"error": "RemoteError", "type": "ValueError", "message": "..."}`

All three carry `content_type: application/json`. Tutorial six's programs set none, or what their library sets
when it is told nothing; both are accepted, and the body decides.
"""

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from contract.errors import InvalidRequest, MalformedReply, RemoteError, RpcError
from contract.limits import MAX_ERROR_TEXT
from contract.service import FIBONACCI, Service

CONTENT_TYPE = "application/json"
# Go's programs, PHP's extension and aio-pika set the first; Ruby's bunny and Perl's AnyEvent::RabbitMQ the second
SAYS_NOTHING = ("text/plain", "application/octet-stream")
ERROR_TYPE = "error"


def refuse_constant(name: str) -> Any:
    """Refuse NaN and the infinities, which Python's JSON has and JSON has not."""
    raise ValueError(f"it has no {name}")


# once: json.dumps would build an encoder for every call
STRICT_JSON = json.JSONEncoder(allow_nan=False)
FROM_STRICT_JSON = json.JSONDecoder(parse_constant=refuse_constant)

log = logging.getLogger(__name__)


class Reply(NamedTuple):
    """A reply's body and its `type` property (`None`, or `"error"`)."""

    body: bytes
    type: str | None = None


def encode_json(value: object) -> bytes:
    """Return a value as JSON. An integer's text is the same, and sooner made."""
    return (str(value) if type(value) is int else STRICT_JSON.encode(value)).encode()


def encode_request(n: object) -> bytes:
    """Return n as a request's body. The server judges it; here only what JSON cannot carry is refused.

    Raises:
        InvalidRequest: JSON has no way to write n.
    """
    try:
        return encode_json(n)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"not JSON: {error}") from None


def decode_request(body: bytes, content_type: str | None, service: Service = FIBONACCI) -> Any:
    """Return the n that a request asks for (C9).

    Raises:
        InvalidRequest: the request is not what the service takes (one integer within the limits), as JSON.
    """
    if not may_be_json(content_type):
        raise InvalidRequest(f"content type must be {CONTENT_TYPE}, not {content_type!r:.100}")
    return service.check_request(decode_json(body, service))


def decode_json(body: bytes, service: Service = FIBONACCI) -> Any:
    """Return what a request's body holds.

    Raises:
        InvalidRequest: it is too long, or no JSON.
    """
    if len(body) > service.max_body:
        raise InvalidRequest(f"body must be at most {service.max_body} bytes, and has {len(body)}")
    try:
        return FROM_STRICT_JSON.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"body is not JSON: {error}") from None


def handle_request(
    function: Callable[[Any], Any],
    body: bytes,
    content_type: str | None,
    service: Service = FIBONACCI,
) -> Reply:
    """Compute one request and return what to reply (C9, C10). Never raises, whatever the function does."""
    try:
        n = decode_request(body, content_type, service)
    except Exception as error:  # a service's own check may raise anything
        invalid = InvalidRequest(message_of(error))
        log.warning("invalid request: %s", invalid)
        return error_reply(invalid)
    try:
        return Reply(encode_result(function(n), service))
    except BaseException as error:  # SystemExit too: a function must not be able to end its server
        log.exception("the function raised")
        return error_reply(error)


def encode_result(result: object, service: Service = FIBONACCI) -> bytes:
    """Return the function's result as a reply's body.

    Raises:
        TypeError: it is not what the service returns (an integer).
        ValueError: it has more digits than Python turns into text (4,300).
    """
    service.check_result(result)
    return encode_json(result)


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
    """Return an exception's text, cut to `MAX_ERROR_TEXT` characters, also when its `__str__` raises."""
    try:
        return str(error)[:MAX_ERROR_TEXT]
    except BaseException:  # SystemExit too: a function must not end its server
        return "(its message cannot be shown)"


def decode_reply(
    body: bytes, content_type: str | None, type_: str | None, service: Service = FIBONACCI
) -> Any | RpcError:
    """Return a reply's result, or the error that it carries.

    Raises:
        MalformedReply: it is neither (C13).
    """
    try:
        content: Any = FROM_STRICT_JSON.decode(body.decode()) if may_be_json(content_type) else None
    except (ValueError, RecursionError):
        content = None
    match type_, content:
        case ((None | ""), _) if content is not None:
            with suppress(Exception):  # a service's own check may raise anything
                return service.check_result(content)
        case "error", {"error": "InvalidRequest", "message": str(message)}:
            return InvalidRequest(message)
        case "error", {"error": str(name), "message": str(message)}:
            return RemoteError(str(content.get("type", name)), message)
    raise MalformedReply(
        f"not a reply: type {type_!r:.20}, {content_type!r:.50}, body {body!r:.100}"
    )


def may_be_json(content_type: object) -> bool:
    """Whether a body of this content type is read as JSON: no content type, or one that says nothing, may be."""
    return not content_type or media_type(content_type) in (CONTENT_TYPE, *SAYS_NOTHING)


def is_json(content_type: object) -> bool:
    """Whether a content type says that the body is JSON."""
    return media_type(content_type) == CONTENT_TYPE


def media_type(content_type: object) -> str | None:
    """Return a content type without its parameters, in lower case; None if it is no text."""
    if not isinstance(content_type, str):  # pika leaves bytes where it finds no UTF-8
        return None
    return content_type.partition(";")[0].strip().lower()
