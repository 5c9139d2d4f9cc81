"""C9: what a task message has to be before Celery's own code sees it.

Celery's worker ends at six kinds of message, which stay in the queue and end the next worker; and it obeys what
else a message asks for. Who only reads how a Celery worker is made can skip this.
"""

import json
import math
import time
from typing import Any

from kombu import Message

from celery_impl.app import TASK
from contract.errors import InvalidRequest
from contract.fibonacci import check_n
from contract.limits import MAX_BODY
from contract.wire import CONTENT_TYPE, is_json
from kombu_common.hardening import body_of


def decode_request(message: Message) -> int:
    """Return the n that a task message asks for (C9).

    Raises:
        InvalidRequest: it does not call our task with one valid n, in Celery's protocol 2.
    """
    headers, body = message.headers, body_of(message)
    if not is_json(message.content_type):
        raise InvalidRequest(
            f"content type must be {CONTENT_TYPE}, not {message.content_type!r:.80}"
        )
    if len(body) > MAX_BODY:
        raise InvalidRequest(f"body must be at most {MAX_BODY} bytes, and has {len(body)}")
    if headers.get("task") != TASK or not isinstance(headers.get("id"), str):
        raise InvalidRequest(f"headers must be of a call of the task {TASK!r}, with an id")
    try:
        content = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"body is not JSON: {error}") from None
    match content:
        case [[n], {**kwargs}, dict()] | [[], {"n": n, **kwargs}, dict()] if not kwargs:
            return check_n(n)
    raise InvalidRequest("body must be [[n], {}, {...}]: one argument, n")


def rewrite(message: Message, n: int) -> Message:
    """Return the message with n, and nothing else that Celery would obey.

    A message may also ask it to run later, to stop in a second, or to call other tasks.
    """
    channel, expiration = message.channel, message.properties.get("expiration")
    # C5: counted from the delivery, on this machine's own clock, so that no two clocks must agree
    deadline = time.monotonic() + int(expiration) / 1000 if expiration else math.inf

    def wanted() -> bool:
        return getattr(channel, "connection", None) is not None and time.monotonic() < deadline

    headers: dict[str, Any] = {"task": TASK, "id": message.headers["id"], "wanted": wanted}
    message.headers = headers
    message.content_type, message.content_encoding = CONTENT_TYPE, "utf-8"
    message.body = json.dumps([[n], {}, {}])
    return message
