"""A server that answers with frames encoded beforehand; the function runs between reading and writing."""

from pamqp import commands

from benchmarks.protocol_baseline.wire import CONSUMER_TAG, Connection, ack, reply
from rpc_core.programs import READY_LINE, ServerOptions, parse_server_options


def serve(options: ServerOptions) -> None:
    """Answer until somebody ends the process. One request at a time, whatever the concurrency."""
    connection = Connection(options.urls[0])
    connection.declare(options.queue, options.queue_type or "classic")
    connection.ask(commands.Basic.Qos(prefetch_count=options.prefetch))
    connection.ask(commands.Basic.Consume(queue=options.queue, consumer_tag=CONSUMER_TAG))
    print(READY_LINE, flush=True)
    while True:
        answers: list[bytes] = []
        for message in connection.receive():
            result = str(options.function(int(message.body))).encode()
            before, after = reply(message.reply_to, result)
            answers += before, message.correlation_id, after, ack(message.tag)
        connection.send(b"".join(answers))


if __name__ == "__main__":
    serve(parse_server_options("protocol_baseline"))
