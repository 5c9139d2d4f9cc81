"""C23: the request queue is not durable."""

from collections.abc import Callable

from pika.frame import Method
from pika.spec import Queue

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C23"}
# of the sample: nothing is served where the broker denies transient_nonexcl_queues
ALSO = {"C1", "C10", "C13"}


class ClientLink(_base.ClientLink):
    def _declare_request_queue(
        self, on_declared: Callable[["Method[Queue.DeclareOk]"], None]
    ) -> None:
        arguments = self._options.queue_arguments
        self.channel.queue_declare(self._options.queue, arguments=arguments, callback=on_declared)


class ServerLink(_base.ServerLink):
    def declare(self) -> None:
        arguments = self._options.queue_arguments
        self.channel.queue_declare(self._options.queue, arguments=arguments)


class Client(_base.Client):
    link = ClientLink


class Server(_base.Server):
    link = ServerLink
