"""Celery's `rpc://` result backend, where results are messages to the caller's queue; with what it lacks here.

What Celery does here: the place of a result backend in client and worker, and the shape of a result.
What it leaves to you: its own declares the callback queue again for every call, keeps every result that
nobody fetched, lets a broken reply raise in whoever waits, and finds an error's class by its name.
"""

import logging
from collections.abc import Callable
from typing import Any

from celery import states
from celery.backends import rpc
from kombu import Consumer, Queue

from contract.errors import InvalidRequest, MalformedReply, RemoteError, RpcError
from contract.pending import PendingCalls
from contract.wire import message_of

log = logging.getLogger(__name__)


class ResultConsumer(rpc.ResultConsumer):
    """The client's end: consumes its callback queue and resolves its pending calls."""

    pending: PendingCalls

    def start(self, connection: Any) -> str:
        """Declare and consume the callback queue of this connection, and return its name (C2).

        Exclusive, so it goes with the connection: Celery's own outlives the client by a day.
        """
        queue = Queue("", exclusive=True, durable=False)(connection.default_channel)
        queue.queue_declare()
        consumer = Consumer(
            connection.default_channel,
            [queue],
            callbacks=[self.on_state_change],
            on_decode_error=self.on_decode_error,
            accept=self.accept,
            no_ack=True,
            auto_declare=False,
        )
        consumer.consume()
        return str(queue.name)

    def on_state_change(self, meta: Any, message: Any) -> None:
        """Resolve the call that a reply belongs to; count a reply that cannot be read (C13)."""
        correlation_id = message.properties.get("correlation_id")
        log.debug("<- reply %s: %.100r", correlation_id, message.body)
        try:
            outcome = decode_result(meta)
        except MalformedReply as error:
            self.on_decode_error(message, error)
        else:
            self.pending.resolve(correlation_id, outcome)

    def on_decode_error(self, message: Any, error: Exception) -> None:
        """Count a reply that cannot be read; Celery's own would raise it in whoever waits (C13)."""
        log.warning("malformed reply: %.200s", error)
        self.pending.count("malformed")


class RpcBackend(rpc.RPCBackend):
    """Both ends of `rpc://`."""

    ResultConsumer = ResultConsumer

    send_reply: Callable[[dict[str, Any], str, str | None], None]  # set by the worker's consumer

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Do nothing: here Celery's own declares the callback queue, for every call: one round trip."""

    def store_result(
        self,
        task_id: str,
        result: Any,
        state: str,
        traceback: Any = None,
        request: Any = None,
        **_: Any,
    ) -> None:
        """Reply to the caller, in the server. The traceback stays here (C10)."""
        reply_to, correlation_id = self.destination_for(task_id, request)
        if not reply_to:
            return
        if state == states.FAILURE:
            result = encode_error(result)
        meta = {"task_id": task_id, "status": state, "result": result, "traceback": None}
        self.send_reply(meta, reply_to, correlation_id)


def encode_error(error: BaseException) -> dict[str, str]:
    """Return an error as Celery's results carry one, so that any Celery client can read it."""
    if isinstance(error, InvalidRequest):
        return {
            "exc_module": InvalidRequest.__module__,
            "exc_type": InvalidRequest.__name__,
            "exc_message": message_of(error),
        }
    if isinstance(error, RemoteError):
        return {"exc_type": error.exception_type, "exc_message": error.message}
    return {"exc_type": type(error).__name__, "exc_message": message_of(error)}


def decode_result(meta: Any) -> int | RpcError:
    """Return the result or the error of a reply. Celery's own looks up the error's class by its name (C10).

    Raises:
        MalformedReply: it is neither (C13).
    """
    match meta:
        case {"status": states.SUCCESS, "result": int(result)} if type(result) is int:
            return result
        case {
            "status": states.FAILURE,
            "result": {"exc_type": str(name), "exc_message": str(text)},
        }:
            if meta["result"].get("exc_module") == InvalidRequest.__module__:
                return InvalidRequest(text)
            return RemoteError(name, text)
    raise MalformedReply(f"not a result: {meta!r:.100}")
