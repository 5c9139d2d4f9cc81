"""C12: after reconnecting the client does not consume its callback queue."""

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C12"}
ALSO = {"C18", "C21", "C23"}


class Link(_base.ClientLink):
    def consume(self) -> None:
        if not self._pending._was_connected:
            super().consume()


class Client(_base.Client):
    link = Link
