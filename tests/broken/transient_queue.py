"""C23: the request queue is not durable."""

from typing import Any

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C23"}
ALSO = {
    "C1",
    "C10",
    "C13",
}  # of the sample: nothing is served where the broker denies transient_nonexcl_queues


class Transient(_base.Channel):
    def queue_declare(self, queue: str, *, durable: bool = False, **options: Any) -> Any:
        return self._channel.queue_declare(queue, **options)


class Client(_base.Client):
    def _on_channel_open(self, channel: Any) -> None:
        super()._on_channel_open(Transient(channel))


class Server(_base.Server):
    def _on_channel_open(self, channel: Any) -> None:
        super()._on_channel_open(Transient(channel))
