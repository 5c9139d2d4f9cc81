"""C23: how the request queue is declared: as the options say; or, when there is one, as it is.

A queue that exists may be declared again only with the arguments that it has; else the broker refuses (406) and
says which argument differs. That is taken over, in another attempt, as a refusal ends the channel.
"""

import re
from collections.abc import Callable
from typing import Protocol, TypeVar

from rpc_core.refusals import Failure

QUEUE_TYPES = ("classic", "quorum")
DEFAULT_QUEUE_TYPE = "classic"
ATTEMPTS = 20  # RabbitMQ knows 18 arguments of a queue

Arguments = dict[str, str | int | bool]


class Droppable(Protocol):
    """A connection, as far as this module has to do with it."""

    def drop(self) -> None:
        """Free everything."""


Opened = TypeVar("Opened", bound=Droppable)

# What RabbitMQ says: "received none but current is the value '5' of type 'signedint'", and of a queue's type
# "received 'classic' but current is 'quorum'". AMQP cuts it after 255 bytes: with a queue's name of over 100
# there may be nothing to read.
DIFFERS = re.compile(
    r"inequivalent arg '(?P<name>x-[\w-]+)' for queue .* but current is "
    r"(?:none|(?:the value )?'(?P<value>.*?)'(?: of type '(?P<type>\w+)')?)\W*$",
    re.DOTALL,
)


def declared_arguments(queue_type: str | None) -> Arguments:
    """Return the arguments for a queue of this type; None stands for what is usual, which is classic.

    Raises:
        ValueError: it is neither classic nor quorum.
    """
    if queue_type is not None and queue_type not in QUEUE_TYPES:
        raise ValueError(f"queue_type must be one of {QUEUE_TYPES}, not {queue_type!r:.50}")
    return {"x-queue-type": queue_type or DEFAULT_QUEUE_TYPE}


def open_as_it_is(
    connect: Callable[[Arguments], Opened],
    declare: Callable[[Opened], None],
    failure: Callable[[BaseException], Failure],
    queue_type: str | None,
) -> Opened:
    """Return a connection on which `declare` has succeeded, with the arguments that the queue has if there is one.

    A connection on which it fails is dropped.

    Raises:
        Exception: the library's, for an outage; or a refusal: the queue is not durable, or of another type than
            the one that was asked for.
    """

    def open_with(arguments: Arguments) -> Opened:
        opened = connect(arguments)
        try:
            declare(opened)
        except BaseException:
            opened.drop()
            raise
        return opened

    arguments = declared_arguments(queue_type)
    for _ in range(ATTEMPTS):
        try:
            return open_with(arguments)
        except Exception as error:
            adopted = as_it_is(arguments, failure(error), queue_type)
            if adopted is None:
                raise
            arguments = adopted
    return open_with(arguments)


def as_it_is(arguments: Arguments, failure: Failure, queue_type: str | None) -> Arguments | None:
    """Return the arguments with the one in which the queue differs; None if that is not what failed."""
    differs = DIFFERS.search(str(failure.cause)) if failure.reply_code == 406 else None
    if differs is None:
        return None
    name, value = differs["name"], differs["value"]
    if name == "x-queue-type" and (queue_type is not None or value not in QUEUE_TYPES):
        return None  # another one was asked for; or a stream, which keeps what was acknowledged
    others = {key: kept for key, kept in arguments.items() if key != name}
    return others if value is None else {**others, name: typed(value, differs["type"])}


def typed(value: str, type_: str | None) -> str | int | bool:
    """Return an argument's value as RabbitMQ writes it with the name of its type."""
    if type_ in (None, "longstr"):
        return value
    return value == "true" if type_ == "bool" else int(value)
