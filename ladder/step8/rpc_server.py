"""The main thread owns the connection: it reads, replies and acknowledges. Worker threads compute."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pika
from pika.adapters.blocking_connection import BlockingChannel as Channel
from pika.exceptions import AMQPError
from pika.spec import Basic, BasicProperties

from contract.wire import CONTENT_TYPE, Reply, handle_request
from ladder.adapter import log, parameters
from rpc_core.programs import ServerOptions, parse_server_options, print_ready


class FibonacciRpcServer:
    """Serves as many requests at once as it is told to."""

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self._workers = ThreadPoolExecutor(options.concurrency)

    def run(self) -> int:
        """Serve until somebody ends the process; connect again when a connection is lost (C18)."""
        self._pause = 0.25
        for url in itertools.cycle(self._options.urls):
            try:
                self._serve(url, self._options.queue)
            except (AMQPError, OSError) as error:
                log.warning("no connection (%r), next attempt in %.2f s", error, self._pause)
            time.sleep(self._pause)
            self._pause = min(2 * self._pause, 2.0)
        return 0

    def _serve(self, url: str, queue: str) -> None:
        self._connection = pika.BlockingConnection(parameters(url, self._options.heartbeat))
        channel = self._connection.channel()
        channel.queue_declare(queue, durable=True, arguments=self._options.queue_arguments)
        channel.basic_qos(prefetch_count=self._options.prefetch)  # may be held unacknowledged
        channel.basic_consume(queue, self._on_request)
        print_ready()
        self._pause = 0.25
        channel.start_consuming()  # returns if somebody deletes the queue
        self._connection.close()

    def _on_request(
        self, channel: Channel, method: Basic.Deliver, asked: BasicProperties, body: bytes
    ) -> None:
        expires = time.monotonic() + float(asked.expiration or "inf") / 1000

        def answer(reply: Reply | None) -> None:  # in the main thread
            if reply is not None:
                properties = BasicProperties(
                    content_type=CONTENT_TYPE, correlation_id=asked.correlation_id, type=reply.type
                )
                # nowhere, if nobody wants a reply
                channel.basic_publish("", asked.reply_to or "", reply.body, properties)
            # last: until then another server may still get it
            channel.basic_ack(method.delivery_tag or 0)  # never None, whatever pika's stub says

        def work() -> None:  # in a worker thread
            reply = None
            if time.monotonic() < expires:  # C5: it may have waited for a thread
                # C9, C10: never raises; a request that ended this server would end the next one too
                reply = handle_request(self._options.function, body, asked.content_type)
            # C11: of no use if the connection was lost
            channel.connection.add_callback_threadsafe(partial(answer, reply))

        self._workers.submit(work)


if __name__ == "__main__":
    raise SystemExit(FibonacciRpcServer(parse_server_options(str(__package__))).run())
