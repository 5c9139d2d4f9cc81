"""The AMQP methods that a client or a server sends, as they pass a proxy."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness.frames import FrameFilter
from harness.proxy import Proxy


class Methods(FrameFilter):
    """A `Proxy.filter` that lets everything pass, and notes each method that is sent to the broker."""

    def __init__(self) -> None:
        super().__init__(self._note)
        self.sent: list[Any] = []

    def _note(self, method: Any) -> bool:
        self.sent.append(method)
        return True

    @property
    def names(self) -> list[str]:
        """Their names, in order, such as `Basic.Publish`."""
        return [method.name for method in self.sent]

    def of(self, name: str) -> list[Any]:
        """Return the methods of this name."""
        return [method for method in self.sent if method.name == name]


@contextmanager
def watched(url: str) -> Iterator[tuple[Proxy, Methods]]:
    """Run a proxy to a broker, and note the methods that pass it."""
    with Proxy.for_url(url) as proxy:
        methods = Methods()
        proxy.filter = methods
        yield proxy, methods
