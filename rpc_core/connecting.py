"""C12, C18: how client and server connect, and connect again: the addresses in turn, with longer pauses."""

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

from rpc_core.addresses import redacted
from rpc_core.limits import MAX_RECONNECT_DELAY, RECONNECT_DELAY
from rpc_core.refusals import Failure

Opened = TypeVar("Opened")


def open_any(
    urls: Iterable[str],
    open_one: Callable[[str], Opened],
    failure: Callable[[BaseException], Failure],
    cancelled: Callable[[], bool],
) -> Opened:
    """Return the connection to the first of these brokers that answers.

    Raises:
        Exception: the last broker's error, or a refusal at once. Libraries' errors have no common base class.
    """
    last: Exception = ConnectionAbortedError("closed while connecting")
    # not pika's or kombu's own failover: pika's ends at a name that does not resolve, kombu's would check every
    # broker's certificate against the first host's name
    for url in urls:
        if cancelled():
            break
        try:
            return open_one(url)
        except Exception as error:
            last = error
            if failure(error).is_permanent(was_ready=False):
                break
    raise last


class Backoff:
    """The pauses between attempts to connect: each twice as long as the one before, up to a limit."""

    def __init__(self, log: logging.Logger, urls: list[str]) -> None:
        self._log = log
        self._urls = urls
        self._next = RECONNECT_DELAY

    def reset(self) -> None:
        """A connection was made: begin again with the shortest."""
        self._next = RECONNECT_DELAY

    def wait(self, failure: Failure, wait: Callable[[float], bool]) -> bool:
        """Log a failed attempt, wait, and return what `wait` returned."""
        delay, self._next = self._next, min(2 * self._next, MAX_RECONNECT_DELAY)
        with suppress(Exception):  # a logging handler's own: it must not end our thread
            self._log.warning(
                "no connection to %s (%r), next attempt in %.2f s",
                redacted(self._urls),
                failure.cause,
                delay,
            )
        return wait(delay)


class ServerBackoff(Backoff):
    """A server's: it ends at a refusal before it has served; later one may pass (a limit on connections, say)."""

    def __init__(self, log: logging.Logger, urls: list[str]) -> None:
        super().__init__(log, urls)
        self._has_served = False
        self._has_replied = False
        self._was_ready = False

    def on_ready(self) -> None:
        """The server takes requests: begin again with the shortest pause."""
        self.reset()
        self._was_ready = True

    def on_request(self) -> None:
        """A request has come: if a reply went out before it, the broker has not refused that."""
        self._has_served = self._has_served or self._has_replied

    def on_reply(self) -> None:
        """A reply goes out."""
        self._has_replied = True

    def gives_up(self, failure: Failure) -> bool:
        """Whether a connection that failed, or was lost, ends the server, with `EXIT_REFUSED`."""
        if failure.is_permanent(self._was_ready) and not self._has_served:
            self._log.error("the broker refused: %r", failure.cause)
            return True
        self._has_served = self._has_served or self._was_ready
        self._has_replied = False
        return False
