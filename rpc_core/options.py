"""What a client is built with, checked, as its link gets it; a server's are `programs.ServerOptions`."""

from dataclasses import dataclass

from contract.limits import MAX_TIMEOUT
from rpc_core.properties import is_text
from rpc_core.request_queue import Arguments


@dataclass(frozen=True)
class ClientOptions:
    """A client's options that concern its connection."""

    queue: str
    queue_type: str | None  # None: none was asked for
    queue_arguments: Arguments
    heartbeat: int  # seconds


def check_queue(name: str) -> str:
    """Return a name that a request queue can have.

    Raises:
        ValueError: it is empty, so that the broker would make one up, longer than AMQP allows, or no text; or
            it has control characters, some of which the broker strips, so that it answers of another queue.
    """
    if not isinstance(name, str):
        raise ValueError(f"a queue's name must be a str, not {type(name).__name__}")
    encoded = name.encode(errors="surrogateescape")
    if not (0 < len(encoded) < 2**8 and is_text(encoded)):
        raise ValueError(f"a queue's name must have 1 to 255 bytes of text, not {name!r:.80}")
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        raise ValueError(f"a queue's name must have no control characters: {name!r:.80}")
    return name


def check_heartbeat(seconds: int) -> int:
    """Return a heartbeat that can be agreed on with the broker.

    Raises:
        ValueError: it is not a whole number of seconds from 1 to 65,535; 0 would mean none, and nothing to go by.
    """
    if type(seconds) is not int or not 0 < seconds < 2**16:
        raise ValueError(f"heartbeat must be whole seconds from 1 to 65535, not {seconds!r:.50}")
    return seconds


def check_timeout(timeout: float) -> float:
    """Return a timeout in seconds that can be kept.

    Raises:
        ValueError: it is not a number of seconds, or not a finite one up to `MAX_TIMEOUT`.
    """
    if (
        isinstance(timeout, bool)
        or not isinstance(timeout, int | float)
        or not timeout <= MAX_TIMEOUT
    ):
        raise ValueError(
            f"timeout must be a number of seconds up to {MAX_TIMEOUT:.0f}, not {timeout!r:.50}"
        )
    return timeout
