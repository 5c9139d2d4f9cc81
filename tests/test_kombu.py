"""kombu as it comes: what docs/kombu-as-it-comes.md says of its defaults, as far as it can be seen quickly."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from amqp.exceptions import (
    ChannelError,
    ConnectionError,
    ConnectionForced,
    RecoverableConnectionError,
)
from kombu import Connection, Consumer, Message, Producer, Queue
from kombu.exceptions import DecodeError
from kombu.utils.json import loads

from conftest import OpenBroker
from kombu_common.connection import Connection as Opened
from rpc_core.limits import SEND_TOGETHER
from tests.waiting import wait_until


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    """A connection."""
    with Connection(url) as connection:
        connection.connect()
        yield connection


def test_lost_connection_comes_back_without_its_consumer(
    connection: Connection, queue: str, open_broker: OpenBroker
) -> None:
    """The read that notices a loss raises; the next connects again, and consumes nothing."""
    channel: Any = connection.default_channel
    got: list[Any] = []
    mine = Queue(queue)
    Consumer(channel, [mine], callbacks=[lambda body, _: got.append(body)], no_ack=True).consume()
    before = connection.connection
    wait_until(lambda: open_broker.counts()["connections"] > 0, "the connection to be listed")
    open_broker.close_all_connections("test")
    with pytest.raises(ConnectionForced):
        connection.drain_events(timeout=10)
    with pytest.raises(TimeoutError):
        connection.drain_events(timeout=0.1)
    assert connection.connected
    assert connection.connection is not before
    Producer(connection).publish([1], routing_key=queue)
    with pytest.raises(TimeoutError):
        connection.drain_events(timeout=0.3)
    assert got == []
    mine(connection.default_channel).delete()


def test_timeout_is_among_connection_errors(connection: Connection) -> None:
    """No message in time is an error of the same kind as a lost connection."""
    with pytest.raises(connection.connection_errors) as caught:
        connection.drain_events(timeout=0.1)
    assert isinstance(caught.value, TimeoutError)


def test_messages(connection: Connection, queue: str) -> None:
    """A message is persistent; one that cannot be decoded is raised out of the read, and kept; JSON has types."""
    channel: Any = connection.default_channel
    mine: Any = Queue(queue)(channel)  # the stub's declarations return text
    mine.declare()
    producer = Producer(channel)
    producer.publish([1], routing_key=queue)
    message = mine.get(no_ack=True)
    assert message.properties["delivery_mode"] == 2

    producer.publish(b"{", routing_key=queue, content_type="application/json")
    consumer = Consumer(channel, [mine], callbacks=[lambda *_: None])
    consumer.consume()
    with pytest.raises(DecodeError):
        connection.drain_events(timeout=10)
    consumer.cancel()
    consumer.recover(requeue=True)
    wait_until(lambda: mine.queue_declare(passive=True).message_count == 1, "it to be there again")
    mine.delete()

    written = '{"__type__": "decimal", "__value__": "0.1"}'
    assert loads(written) == Decimal("0.1")


def test_body_is_inflated_for_on_message_too(connection: Connection, queue: str) -> None:
    """A compressed body is inflated, whatever its size, where nothing decodes it."""
    channel: Any = connection.default_channel
    mine = Queue(queue)(channel)
    mine.declare()
    Producer(channel).publish(b"a" * 10**6, routing_key=queue, compression="zlib")
    sizes: list[int] = []

    def on_message(message: Message) -> None:
        sizes.append(len(message.body or ""))

    Consumer(channel, [mine], on_message=on_message, no_ack=True).consume()
    connection.drain_events(timeout=10)
    assert sizes == [10**6]
    mine.delete()


def test_returned_message_is_raised(connection: Connection, queue: str) -> None:
    """What is mandatory and finds no queue is raised by the next read, and by nothing that belongs to it."""
    Producer(connection.default_channel).publish([1], routing_key=queue, mandatory=True)
    with pytest.raises(ChannelError, match="NO_ROUTE"):
        connection.drain_events(timeout=10)


def test_consumer_declares_a_copy(connection: Connection) -> None:
    """The name that the broker makes up is the consumer's copy's, not the queue's that was given."""
    replies = Queue("", exclusive=True, durable=False)
    consumer = Consumer(connection.default_channel, [replies], no_ack=True)
    assert replies.name == ""
    assert consumer.queues[0].name.startswith("amq.gen-")


# -- what kombu_impl's and celery_impl's connection does besides -------------------------------------------


@pytest.fixture
def opened(url: str) -> Iterator[Opened]:
    """A connection of theirs."""
    opened = Opened(Connection(url))
    yield opened
    opened.close()


def test_all_that_was_published_is_sent_at_once(opened: Opened, url: str, queue: str) -> None:
    """One send for all messages, before the connection waits for anything."""
    stream, sent = opened._stream, list[bytes]()
    send = stream._send

    def note(data: bytearray) -> None:
        sent.append(bytes(data))
        send(data)

    stream._send = note
    mine: Any = Queue(queue)(opened.channel)
    mine.declare()  # waits for its answer, so it was sent
    sent.clear()
    producer = Producer(opened.channel)
    for body in ("first", "second", "third"):
        producer.publish(body, routing_key=queue)
    assert sent == []
    opened.read(wait=False)
    [data] = sent
    assert data.index(b"first") < data.index(b"second") < data.index(b"third")
    wait_until(lambda: mine.queue_declare(passive=True)[1] == 3, "all three to arrive")
    producer.publish("last", routing_key=queue)
    opened.close()
    with Connection(url) as another:
        mine = Queue(queue)(another.default_channel)
        wait_until(lambda: mine.queue_declare(passive=True)[1] == 4, "the last to arrive")


def test_what_is_large_does_not_wait(opened: Opened, queue: str) -> None:
    """So that nothing is copied twice, expires or delays `close` while it waits."""
    producer = Producer(opened.channel)
    producer.publish("30", routing_key=queue)
    assert opened._stream._unsent
    producer.publish("x" * SEND_TOGETHER, routing_key=queue)
    assert not opened._stream._unsent


@pytest.mark.parametrize("error", [KeyboardInterrupt, BlockingIOError, TimeoutError])
def test_ended_while_sending(opened: Opened, queue: str, error: type[BaseException]) -> None:
    """C4, C7: a send that is ended is neither a wait that is, nor "nothing has arrived"."""
    stream, send = opened._stream, opened._stream._send

    def ended(_data: bytearray) -> None:
        stream._send = send
        raise error

    opened.is_waiting = True  # by Ctrl-C in a wait before
    Producer(opened.channel).publish("30", routing_key=queue)
    stream._send = ended
    expected = KeyboardInterrupt if error is KeyboardInterrupt else ConnectionAbortedError
    with pytest.raises(expected):
        opened.read()
    assert not opened.is_waiting


def test_broker_that_takes_no_password() -> None:
    """C20: a broker that lets nobody in by password, which py-amqp itself finds out, is a refusal."""
    refused = ConnectionError("Couldn't find appropriate auth mechanism")
    assert Opened.failure(refused).is_permanent(was_ready=False)
    for lost in (RecoverableConnectionError("connection already closed"), ConnectionForced("bye")):
        assert not Opened.failure(lost).is_permanent(was_ready=False)
