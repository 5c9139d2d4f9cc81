"""C3: as in RabbitMQ's tutorial, the call in progress is an attribute of the client, for all threads."""

from concurrent.futures import wait

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C3"}


class Client(_base.Client):
    def call(self, n: int, *, timeout: float | None = None) -> int:
        self._response = self.submit(n, timeout=timeout)
        wait([self._response])
        return self._response.result()
