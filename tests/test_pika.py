"""raw_pika's connection sends at once what was published; pika by itself sends frame by frame."""

import errno
from collections.abc import Iterator
from typing import Any

import pika
import pytest
from pika.adapters.utils import io_services_utils
from pika.exceptions import ConnectionClosedByBroker
from pika.frame import Method
from pika.spec import Queue

from conftest import OpenBroker
from raw_pika.connection import Connection
from rpc_core.limits import SEND_TOGETHER
from tests.waiting import wait_until

TRANSPORT: Any = io_services_utils._AsyncTransportBase  # which gives to the socket


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What pika gave to sockets, send by send."""
    send, found = TRANSPORT._sigint_safe_send, list[bytes]()

    def note(sock: object, data: bytes) -> int:
        number: int = send(sock, data)
        found.append(data[:number])
        return number

    monkeypatch.setattr(TRANSPORT, "_sigint_safe_send", staticmethod(note))
    return found


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    """A connection of raw_pika's."""
    opened = Connection(url, heartbeat=60, name="test_pika")
    yield opened
    opened.close()


def publish(connection: Connection, queue: str, *bodies: bytes) -> None:
    """Publish, without sending it yet."""
    for body in bodies:
        connection.channel.basic_publish("", queue, body)


def count(connection: Connection, queue: str) -> int:
    """Declare a queue, and return how many messages are in it."""
    declared: list[Method[Queue.DeclareOk]] = []
    connection.channel.queue_declare(queue, durable=True, callback=declared.append)
    return int(connection.wait_for(declared).method.message_count)


def test_pika_sends_frame_by_frame(url: str, queue: str, sent: list[bytes]) -> None:
    """A message is three frames, and pika gives each to the socket by itself."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        sent.clear()
        channel.basic_publish("", queue, b"30")
        assert len(sent) == 3
        assert b"30" in sent[2]


def test_all_that_was_published_is_sent_at_once(
    connection: Connection, queue: str, sent: list[bytes]
) -> None:
    """One send for all messages, when the connection is read."""
    assert count(connection, queue) == 0
    sent.clear()
    publish(connection, queue, b"first", b"second", b"third")
    assert sent == []
    connection.read(wait=False)
    [data] = sent
    assert data.index(b"first") < data.index(b"second") < data.index(b"third")
    wait_until(lambda: count(connection, queue) == 3, "all three to arrive")


def test_more_than_a_socket_takes(
    connection: Connection, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the socket does not take yet is sent later, in order, whatever is published meanwhile."""
    send, tries = TRANSPORT._sigint_safe_send, list[bytes]()

    def full(sock: object, data: bytes) -> int:
        tries.append(data)
        if len(tries) in (2, 3):
            raise BlockingIOError(errno.EAGAIN, "full")
        number: int = send(sock, data[:10] if len(tries) == 1 else data)
        return number

    assert count(connection, queue) == 0
    monkeypatch.setattr(TRANSPORT, "_sigint_safe_send", staticmethod(full))
    publish(connection, queue, b"first")
    connection.read(wait=False)
    assert tries[1] == tries[0][10:]
    publish(connection, queue, b"second")
    wait_until(lambda: count(connection, queue) == 2, "both to arrive")
    assert tries[3] == tries[1]


def test_what_is_large_does_not_wait(connection: Connection, queue: str, sent: list[bytes]) -> None:
    """So that nothing is copied twice, expires or delays `close` while it waits."""
    sent.clear()
    publish(connection, queue, b"30")
    assert sent == []
    publish(connection, queue, b"x" * SEND_TOGETHER)
    assert sum(map(len, sent)) > SEND_TOGETHER


def test_interrupted_while_sending(
    connection: Connection, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C7: Ctrl-C in a send is not taken for one in a wait, whatever another has left behind."""

    def interrupted(_sock: object, _data: bytes) -> int:
        raise KeyboardInterrupt

    connection._loop.is_waiting = True  # by Ctrl-C in a wait before
    publish(connection, queue, b"30")
    with monkeypatch.context() as patched:
        patched.setattr(TRANSPORT, "_sigint_safe_send", staticmethod(interrupted))
        with pytest.raises(KeyboardInterrupt):
            connection.read()
    assert not connection.is_waiting


def test_what_was_published_before_close_arrives(
    connection: Connection, url: str, queue: str
) -> None:
    """Closing sends it first."""
    with pika.BlockingConnection(pika.URLParameters(url)) as other:
        channel = other.channel()
        channel.queue_declare(queue, durable=True)
        publish(connection, queue, b"30")
        connection.close()
        wait_until(lambda: channel.basic_get(queue, auto_ack=True)[2] == b"30", "it to arrive")


def test_lost_before_it_is_sent(
    connection: Connection, queue: str, open_broker: OpenBroker
) -> None:
    """To have something to send is no error on a connection that is lost: the loss is."""
    wait_until(lambda: open_broker.counts()["connections"] > 0, "the connection to be listed")
    open_broker.close_all_connections("test")
    with pytest.raises(ConnectionClosedByBroker):
        connection.wait_for([])
    connection.channel.connection._adapter_emit_data(b"30")  # type: ignore[attr-defined]
    with pytest.raises(ConnectionClosedByBroker):
        connection.read(wait=False)
