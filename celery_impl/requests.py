"""C9: what a task message has to be before Celery's own code sees it, and what is left of it then.

Several kinds of broken message end Celery's worker, stay in the queue and end the next one; and it obeys
whatever a message asks for. Who only reads how a Celery worker is made can skip this.
"""

import itertools
import json
import logging
import time
from typing import Any

from celery import states

from celery_impl.app import TASK
from celery_impl.results import encode_result
from contract.errors import InvalidRequest
from contract.service import Service
from contract.wire import CONTENT_TYPE, decode_json, is_json, message_of
from kombu_common.hardening import PlainMessage, body_of

NOT_OFFERED = {  # what Celery would obey, and its name in a Celery client
    "eta": "eta or countdown",
    "timelimit": "a time limit",
    "callbacks": "link",
    "errbacks": "link_error",
    "chain": "a chain",
    "chord": "a chord",
}
TRACING = ("traceparent", "tracestate", "baggage", "sentry-trace")  # W3C's headers, and Sentry's

log = logging.getLogger(__name__)


class TaskMessage(PlainMessage):
    """A request, with what the task and the main thread tell each other about it."""

    headers: Any
    deadline = float("inf")  # time.monotonic()
    reply: dict[str, Any] | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # gives 0 to the first who asks: the thread that is to compute it, or who gives it back
        self.claims = itertools.count()

    @property
    def correlation_id(self) -> Any:
        """Text; or bytes, where py-amqp finds no UTF-8."""
        return self.properties.get("correlation_id")

    @property
    def is_lost(self) -> bool:
        """C11: its connection is lost, so the broker gives the request to somebody else."""
        return self.channel.connection is None  # as py-amqp marks a channel that is no more

    def begin(self) -> bool:
        """C5: whether to compute it. By this machine's own clock since the delivery, so that no two must agree."""
        return not (next(self.claims) or self.is_lost) and time.monotonic() < self.deadline


def check(message: TaskMessage, service: Service) -> None:
    """Leave of a message n, and nothing else that Celery would obey; or give it the reply that refuses it."""
    try:
        rewrite(message, decode_request(message, service))
    except Exception as error:  # whatever a message does, it must not end the worker
        log.warning("invalid request: %.200s", error)
        refusal = InvalidRequest(message_of(error))
        message.reply = encode_result(message.correlation_id or "", refusal, states.FAILURE)


def decode_request(message: TaskMessage, service: Service) -> Any:
    """Return the n that a task message asks for.

    Raises:
        InvalidRequest: it does not call our task with one valid n, and nothing else, in Celery's protocol 2.
    """
    headers = message.headers
    content_type = message.content_type
    if not is_json(content_type):
        raise InvalidRequest(f"content type must be {CONTENT_TYPE}, not {content_type!r:.80}")
    if message.compression:
        raise InvalidRequest("body must not be compressed")
    if headers.get("task") != TASK or not isinstance(headers.get("id"), str):
        raise InvalidRequest(f"headers must be of a call of the task {TASK!r}, with an id")
    match decode_json(body_of(message), service):
        case [[n], {**kwargs}, {**embed}] | [[], {"n": n, **kwargs}, {**embed}] if not kwargs:
            for name, text in NOT_OFFERED.items():
                # a Celery client always sends a pair of time limits
                if (value := headers.get(name) or embed.get(name)) and value != [None, None]:
                    raise InvalidRequest(f"{text} is not offered here, only the call itself")
            return service.check_request(n)
    raise InvalidRequest("body must be [[n], {}, {...}]: one argument, n")


def rewrite(message: TaskMessage, n: Any) -> None:
    """Set the deadline, and what Celery shall see of the message."""
    headers = message.headers
    if expiration := message.properties.get("expiration"):
        message.deadline = time.monotonic() + int(expiration) / 1000
    tracing = {name: headers[name] for name in TRACING if isinstance(headers.get(name), str)}
    message.headers = {
        **tracing,
        "headers": tracing,  # where Sentry looks; OpenTelemetry looks one level up
        "task": TASK,
        "id": headers["id"],
        "ignore_result": headers.get("ignore_result") is True,
        "message": message,
    }
    message.content_type, message.content_encoding = CONTENT_TYPE, "utf-8"
    message.body = json.dumps([[n], {}, {}])
