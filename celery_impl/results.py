"""Celery's `rpc://` result backend, in which a result is a message to its caller's queue.

What Celery does here: the places of a result backend in the client and in the worker, and the
shape of a result.
What it leaves to you: its own backend declares the callback queue again for every call, keeps
results that nobody fetched (8,192 at most), raises broken replies in whoever waits, and finds the
class of an error by the name in the message.
"""

import logging
from typing import Any

from celery import states
from celery.backends import rpc
from kombu import Consumer, Producer, Queue
from kombu.message import Message
from kombu.transport.base import StdChannel

from contract.errors import InvalidRequest, MalformedReply, RemoteError, RpcError
from contract.service import FIBONACCI, Service
from contract.wire import message_of
from rpc_core.pending import PendingCalls

log = logging.getLogger(__name__)


class ResultConsumer(rpc.ResultConsumer):  # type: ignore[name-defined,misc]  # not in the stub
    """The client's end: consumes its callback queue and resolves its pending calls."""

    def start_on(self, channel: StdChannel, pending: PendingCalls) -> str:
        """Declare and consume a callback queue, and return its name (C2).

        Exclusive, so that it ends with the connection. Celery's own is declared for each call, and stays for a
        day if nobody has read it.
        """
        self._pending_calls = pending
        queue = Queue("", exclusive=True, durable=False)(channel)
        queue.queue_declare()
        Consumer(
            channel,
            [queue],
            callbacks=[self.on_state_change],
            on_decode_error=self.on_decode_error,
            accept=self.accept,
            no_ack=True,
            auto_declare=False,
        ).consume()
        return str(queue.name)

    def on_state_change(self, meta: object, message: Message) -> None:
        """Resolve the call that a reply belongs to; Celery's own keeps it for whoever asks."""
        correlation_id = message.properties.get("correlation_id")
        log.debug("<- reply %s: %.100r", correlation_id, meta)
        try:
            outcome = decode_result(meta, self._pending_calls.service)
        except MalformedReply as error:
            self.on_decode_error(message, error)
        else:
            if outcome is not None:
                self._pending_calls.resolve(correlation_id, outcome)

    def on_decode_error(self, message: Message, error: Exception) -> None:
        """Count a reply that cannot be read (C13); Celery's own raises it in whoever waits."""
        self._pending_calls.on_malformed_reply(error)


class RpcBackend(rpc.RPCBackend):
    """Both ends of `rpc://`."""

    ResultConsumer = ResultConsumer

    def on_task_call(self, producer: Producer, task_id: str) -> None:
        """Do nothing; Celery's own declares the callback queue here: a round trip for every call."""

    def store_result(
        self,
        task_id: str,
        result: Any,
        state: str,
        traceback: str | None = None,
        request: Any = None,
        **_: Any,
    ) -> None:
        """Leave the reply to the worker's consumer; Celery's own sends it from here, on another connection."""
        assert request is not None
        request.message.reply = encode_result(task_id, result, state)


def encode_result(task_id: str, result: Any, state: str) -> dict[str, Any]:
    """Return a reply, as Celery's own are, but that the traceback stays in the server (C10)."""
    content = encode_error(result) if state == states.FAILURE else result
    return {"task_id": task_id, "status": state, "result": content, "traceback": None}


def encode_error(error: BaseException) -> dict[str, str]:
    """Return an error as Celery's results carry one, so that any Celery client can read it."""
    match error:
        case RemoteError():
            return {"exc_type": error.exception_type, "exc_message": error.message}
        case InvalidRequest():
            module, name = InvalidRequest.__module__, InvalidRequest.__name__
            return {"exc_module": module, "exc_type": name, "exc_message": message_of(error)}
    return {"exc_type": type(error).__name__, "exc_message": message_of(error)}


def decode_result(meta: Any, service: Service = FIBONACCI) -> Any | RpcError | None:
    """Return a reply's result, or the error that it carries; no class is looked up for it (C10).

    None if it carries neither, but says that the task has started, or will be tried again.

    Raises:
        MalformedReply: it is nothing of this (C13).
    """
    match meta:
        case {"status": states.SUCCESS, "result": result}:
            try:
                return service.check_result(result)
            except Exception as error:  # of a worker that is not ours (C10)
                return RemoteError(type(error).__name__, message_of(error))
        case {"status": str(status)} if status in states.UNREADY_STATES:
            return None
        case {
            "status": states.FAILURE | states.REVOKED,
            "result": {"exc_type": str(name), "exc_message": str(text) | [*text]} as error,
        }:
            if not isinstance(text, str):  # a stock worker sends what the exception was raised with
                text = message_of(Exception(*text))
            if error.get("exc_module") == InvalidRequest.__module__:
                return InvalidRequest(text)
            return RemoteError(name, text)
    raise MalformedReply(f"not a result: {meta!r:.100}")
