"""C9: what a task message has to be before Celery's own code sees it, and what is left of it then.

Six kinds of message end Celery's worker, stay in the queue and end the next one; and it obeys whatever a message
asks for. Who only reads how a Celery worker is made can skip this.
"""

import json
import math
import time
from dataclasses import dataclass
from typing import Any

from kombu import Message

from celery_impl.app import TASK
from contract.errors import InvalidRequest
from contract.service import FIBONACCI, Service
from contract.wire import CONTENT_TYPE, is_json
from kombu_common.hardening import body_of

NOT_OFFERED = {  # what Celery would obey, and its name in a Celery client
    "eta": "eta or countdown",
    "timelimit": "a time limit",
    "callbacks": "link",
    "errbacks": "link_error",
    "chain": "a chain",
    "chord": "a chord",
}
TRACING = ("traceparent", "tracestate", "baggage", "sentry-trace")  # W3C's headers, and Sentry's


@dataclass(eq=False, slots=True)
class Job:
    """What the task and the event loop share about one request."""

    channel: Any
    deadline: float = math.inf  # time.monotonic()
    reply: dict[str, Any] | None = None

    @property
    def is_lost(self) -> bool:
        """C11: its connection is lost, so the broker gives the request to somebody else."""
        return self.channel.connection is None  # as py-amqp marks a channel that is no more

    @property
    def is_wanted(self) -> bool:
        """C5: counted from the delivery, on this machine's own clock, so that no two clocks must agree."""
        return not self.is_lost and time.monotonic() < self.deadline


def decode_request(message: Message, service: Service = FIBONACCI) -> Any:
    """Return the n that a task message asks for (C9).

    Raises:
        InvalidRequest: it does not call our task with one valid n, and nothing else, in Celery's protocol 2.
    """
    headers, body = message.headers, body_of(message)
    if not is_json(message.content_type):
        raise InvalidRequest(
            f"content type must be {CONTENT_TYPE}, not {message.content_type!r:.80}"
        )
    if getattr(message, "compression", None):
        raise InvalidRequest("body must not be compressed")
    if len(body) > service.max_body:
        raise InvalidRequest(f"body must be at most {service.max_body} bytes, and has {len(body)}")
    if headers.get("task") != TASK or not isinstance(headers.get("id"), str):
        raise InvalidRequest(f"headers must be of a call of the task {TASK!r}, with an id")
    try:
        content = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"body is not JSON: {error}") from None
    match content:
        case [[n], {**kwargs}, {**embed}] | [[], {"n": n, **kwargs}, {**embed}] if not kwargs:
            for name, text in NOT_OFFERED.items():
                value = headers.get(name) or embed.get(name)
                if any(value) if isinstance(value, list) else value:
                    raise InvalidRequest(f"{text} is not offered here, only the call itself")
            return service.check_request(n)
    raise InvalidRequest("body must be [[n], {}, {...}]: one argument, n")


def rewrite(message: Message, n: Any) -> Job:
    """Leave of the message n, and nothing else that Celery would obey; return its job."""
    headers: dict[str, Any] = message.headers
    expiration = message.properties.get("expiration")
    deadline = time.monotonic() + int(expiration) / 1000 if expiration else math.inf
    job = Job(message.channel, deadline)
    tracing = {name: headers[name] for name in TRACING if isinstance(headers.get(name), str)}
    kept: dict[str, Any] = {
        **tracing,
        "headers": tracing,  # where Sentry looks; OpenTelemetry looks one level up
        "task": TASK,
        "id": headers["id"],
        "ignore_result": headers.get("ignore_result") is True,
        "job": job,
    }
    message.headers = kept
    message.content_type, message.content_encoding = CONTENT_TYPE, "utf-8"
    message.body = json.dumps([[n], {}, {}])
    return job
