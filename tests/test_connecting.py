"""Addresses, options, attempts to connect, the pauses between them, refusals: without a broker."""

import itertools
import logging
import re
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pika
import pytest

from contract.limits import MAX_TIMEOUT
from rpc_core.addresses import Address, broker_urls, redact, redacted
from rpc_core.connecting import Backoff, ServerBackoff, open_any
from rpc_core.limits import MAX_RECONNECT_DELAY, RECONNECT_DELAY
from rpc_core.options import check_heartbeat, check_queue, check_timeout
from rpc_core.properties import is_text, strip_undecodable_properties
from rpc_core.refusals import Failure, is_tls_refusal
from rpc_core.request_queue import (
    ATTEMPTS,
    Arguments,
    as_it_is,
    declared_arguments,
    open_as_it_is,
)

LOG = logging.getLogger(__name__)
DELAYS = [0.25, 0.5, 1.0, 2.0, 2.0, 2.0]  # seconds, as running-it-for-real.md says


# -- several brokers (C12, C18, C20) ---------------------------------------------------------------------


class Refused(Exception):
    """What a link raises at a broker that refuses."""


def open_kind(url: str) -> str:
    """Connect, in the way that the address says."""
    if url.startswith("refusing"):
        raise Refused(url)
    if url.startswith("dead"):
        raise ConnectionRefusedError(url)
    if url.startswith("silent"):
        raise TimeoutError(url)
    return url


def failure(error: BaseException) -> Failure:
    """Return what an exception comes down to."""
    return Failure(error, 403 if isinstance(error, Refused) else None)


def outcome(*urls: str) -> str:
    """Return the address that is connected to, or that of the error."""
    try:
        return open_any(urls, open_kind, failure, lambda: False)
    except (Refused, ConnectionRefusedError, TimeoutError) as error:
        return str(error)


@pytest.mark.parametrize(
    "urls", list(itertools.permutations(["dead", "silent", "refusing", "live"])), ids="-".join
)
def test_mixed_addresses(urls: tuple[str, ...]) -> None:
    """C12, C18, C20: the dead and silent are passed over; the first that refuses or lives decides."""
    assert outcome(*urls) == next(url for url in urls if url in ("refusing", "live"))


def test_each_address_is_tried() -> None:
    """C12, C18: of several the third is tried as well; of none that lives the last one's error is told."""
    assert outcome("dead 1", "dead 2", "live") == "live"
    assert outcome("dead 1", "dead 2", "dead 3") == "dead 3"
    assert outcome("dead", "refusing 1", "refusing 2") == "refusing 1"
    assert outcome("live 1", "live 2") == "live 1"


def test_connecting_that_is_given_up() -> None:
    """C8: whoever closes meanwhile does not wait for further brokers."""
    tried: list[str] = []

    def note(url: str) -> str:
        tried.append(url)
        raise ConnectionRefusedError(url)

    with pytest.raises(ConnectionRefusedError):
        open_any(["1", "2", "3"], note, failure, lambda: len(tried) == 2)
    assert tried == ["1", "2"]
    with pytest.raises(ConnectionAbortedError, match=r"^closed while connecting$"):
        open_any(["1"], note, failure, lambda: True)
    assert tried == ["1", "2"]


def test_declaration_that_is_refused() -> None:
    """C12, C20: while connecting a queue that was declared otherwise (406) is a refusal: the next is not tried."""

    def declared_otherwise(error: BaseException) -> Failure:
        return Failure(error, 406)

    with pytest.raises(ConnectionRefusedError, match="dead 1"):
        open_any(["dead 1", "live"], open_kind, declared_otherwise, lambda: False)


# -- pauses (C12, C18) -----------------------------------------------------------------------------------


class Waited(list[float]):
    """Notes how long was waited, and returns what it is told to."""

    answer = False

    def __call__(self, seconds: float) -> bool:
        """Wait."""
        self.append(seconds)
        return self.answer


@pytest.mark.parametrize(
    ("kind", "reset"), [(Backoff, Backoff.reset), (ServerBackoff, ServerBackoff.on_ready)]
)
def test_backoff(
    kind: type[Backoff], reset: Callable[[Any], None], caplog: pytest.LogCaptureFixture
) -> None:
    """C12, C18: the pauses grow from 0.25 s to 2 s, are those that the log tells, and begin again when reset."""
    assert [DELAYS[0], DELAYS[-1]] == [RECONNECT_DELAY, MAX_RECONNECT_DELAY]
    backoff, waited = (
        kind(LOG, [Address("amqp://u:geheim@h1:1/v"), Address("amqp://h2:2/v")]),
        Waited(),
    )
    for _ in range(2):
        for _ in DELAYS:
            assert not backoff.wait(Failure(OSError("nobody listens")), waited)
        reset(backoff)
    assert waited == DELAYS * 2
    logged = [float(re.findall(r"next attempt in (\S+) s$", line)[0]) for line in caplog.messages]
    assert logged == waited
    [line] = set(caplog.messages[:1])
    assert line == (
        "no connection to amqp://***@h1:1/v, amqp://h2:***"
        " (OSError('nobody listens')), next attempt in 0.25 s"
    )
    assert {record.levelname for record in caplog.records} == {"WARNING"}


def test_backoff_that_is_ended() -> None:
    """C8, C17: who is told to stop in a pause is told so."""
    waited = Waited()
    waited.answer = True
    assert Backoff(LOG, []).wait(Failure(OSError()), waited)


def test_backoff_that_cannot_be_logged() -> None:
    """C12: a logging handler that raises costs no attempt."""

    class Full(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("no space left")

    log, waited, full = logging.getLogger("full"), Waited(), Full()
    log.addHandler(full)
    try:
        assert not Backoff(log, []).wait(Failure(OSError()), waited)
    finally:
        log.removeHandler(full)
    assert waited == [0.25]


REFUSAL, OUTAGE = Failure(OSError("refused"), 403), Failure(OSError("gone"))


def server_backoff(*, ready: bool = False) -> ServerBackoff:
    """Return the pauses of a server that has done nothing yet, or that has just begun to take requests."""
    backoff = ServerBackoff(LOG, [])
    if ready:
        backoff.on_ready()
    return backoff


def test_server_that_is_refused_at_first(caplog: pytest.LogCaptureFixture) -> None:
    """C18, C20: a server ends at a refusal before it has served, with a line that says why."""
    assert server_backoff().gives_up(REFUSAL)
    assert server_backoff(ready=True).gives_up(REFUSAL)  # it replied, and may not
    assert caplog.messages == ["the broker refused: OSError('refused')"] * 2
    assert {record.levelname for record in caplog.records} == {"ERROR"}
    assert not server_backoff().gives_up(OUTAGE)


def test_server_whose_message_is_refused() -> None:
    """C18: once a server was ready, 406 is about a message or a job, and no refusal; before it is."""
    declared_otherwise = Failure(OSError("406"), 406)
    assert not server_backoff(ready=True).gives_up(declared_otherwise)
    assert server_backoff().gives_up(declared_otherwise)


def test_server_that_has_served() -> None:
    """C18: a server that was connected before goes on trying after a refusal: it may pass."""
    backoff = server_backoff(ready=True)
    assert not backoff.gives_up(OUTAGE)
    assert not backoff.gives_up(REFUSAL)
    backoff = server_backoff()
    assert not backoff.gives_up(OUTAGE)
    assert backoff.gives_up(REFUSAL)  # it was not


def test_server_whose_replies_are_refused() -> None:
    """C18, C20: a reply that was refused is no service; one that the next request followed is."""
    backoff = server_backoff(ready=True)
    backoff.on_request()
    backoff.on_reply()
    assert backoff.gives_up(REFUSAL)
    backoff = server_backoff(ready=True)
    for _ in range(2):
        backoff.on_request()
        backoff.on_reply()
    assert not backoff.gives_up(REFUSAL)
    backoff = server_backoff()
    backoff.on_reply()
    assert not backoff.gives_up(OUTAGE)
    backoff.on_request()  # on another connection: the reply may have been refused
    assert backoff.gives_up(REFUSAL)


# -- what is a refusal (C12, C20) ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "before", "after"),
    [
        (403, True, True),
        (406, True, False),  # later: a message too large, a job too long
        (530, True, True),
        (320, False, False),
        (404, False, False),
        (405, False, False),
        (541, False, False),
        (None, False, False),
    ],
)
def test_permanent_codes(code: int | None, before: bool, after: bool) -> None:
    """C12: what the broker refuses for good is told from an outage by AMQP's reply code."""
    found = Failure(OSError(), code)
    assert (found.is_permanent(was_ready=False), found.is_permanent(was_ready=True)) == (
        before,
        after,
    )


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (ssl.SSLCertVerificationError("no"), True),
        (ssl.SSLError("wrong version"), True),
        (ssl.SSLEOFError(), False),
        (ssl.SSLZeroReturnError(), False),
        (ssl.SSLSyscallError(), False),
        (ConnectionResetError(), False),
        (socket.gaierror(), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_tls_refusals(error: BaseException, refused: bool) -> None:
    """C20: a certificate or a protocol that does not fit is a refusal; a handshake that was cut off is none."""
    assert is_tls_refusal(error) is refused
    assert Failure(error).is_permanent(was_ready=False) is refused
    assert not Failure(error, 320).is_permanent(was_ready=False)  # the broker's word counts more


# -- addresses (Names, C20) ------------------------------------------------------------------------------

ADDRESSES = {
    "amqp://h": "amqp://guest:guest@h:5672/%2F",
    "amqps://h": "amqps://guest:guest@h:5671/%2F",
    "AMQP://Host/": "amqp://guest:guest@host:5672/%2F",
    "amqp://h:1/v": "amqp://guest:guest@h:1/v",
    "amqp://u:p@h/v": "amqp://u:p@h:5672/v",
    "amqp://u:p%40@h:65535/%2F": "amqp://u:p%40@h:65535/%2F",
    "amqp://u:p@[::1]:7/v": "amqp://u:p@[::1]:7/v",
    "  amqp://h  ": "amqp://guest:guest@h:5672/%2F",
}


@pytest.mark.parametrize(("given", "full"), list(ADDRESSES.items()), ids=str)
def test_address_in_full(given: str, full: str) -> None:
    """Names: what an address leaves out is filled in: guest, the scheme's port, the virtual host /."""
    assert broker_urls(given) == [full]
    assert broker_urls(f"{given};{given}") == [full, full]


BAD_ADDRESSES = [
    "http://h/", "h", "://h", "amqp:", "amqp://", "amqp://:1/", "amqp://h:0/", "amqp://h:x/", "amqp://h:65536/",
    "amqp://h/a/b", "amqp://h/v?x=1", "amqp://h/v#x", "amqp://u@h/", "amqp://u:@h/", "amqp://:p@h/", "amqp://:@h/",
    "amqp://u:p:q@h/", "amqp://[::1/", ";", "amqp://h;", ";amqp://h", "amqp://h;;amqp://h",
]  # fmt: skip


@pytest.mark.parametrize("given", BAD_ADDRESSES)
def test_bad_address(given: str) -> None:
    """Names: what is no AMQP address, or has a user and no password, is refused, with what was expected."""
    with pytest.raises(
        ValueError, match=r"not a broker address: .*; expected amqp://user:password@host"
    ):
        broker_urls(given)


def test_which_address_is_bad() -> None:
    """Names: one address is shown, without its password; of several, the wrong one is named by its number."""
    for given, which in {
        "http://u:secret@h/": r"'http://\*\*\*@h/'",
        "amqp://h;h": "'number 2 of 2'",
        "amqp://h;h;amqp://h": "'number 2 of 3'",
    }.items():
        with pytest.raises(ValueError, match=f"^not a broker address: {which}; expected"):
            broker_urls(given)


def test_address_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names: an address that is given goes before $AMQP_URL, and that before the default."""
    monkeypatch.setenv("AMQP_URL", "amqp://environment")
    assert broker_urls("amqp://given") == ["amqp://guest:guest@given:5672/%2F"]
    for nothing in (None, ""):
        assert broker_urls(nothing) == ["amqp://guest:guest@environment:5672/%2F"]
    for nothing in (None, ""):
        monkeypatch.setenv("AMQP_URL", "")
        assert broker_urls(nothing) == ["amqp://guest:guest@localhost:5672/%2F"]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("amqp://u:secret@h:1/v", "amqp://***@h:1/v"),
        ("amqp://u:x@secret@h/v", "amqp://***@h/v"),  # only what is after the last @ is no password
        ("amqp://secret@x:secret@h", "amqp://***@h"),
        ("amqp://u:secret", "amqp://u:***"),
        ("u:secret@h", "***@h"),
        ("secret://secret@h", "secret://***@h"),
        ("h", "h"),
        ("h:1", "h:***"),
    ],
)
def test_redacted(address: str, shown: str) -> None:
    """C20: nothing that may be part of a password is shown, in a list of addresses neither."""
    assert redact(address) == shown
    assert repr(Address(address)) == repr(shown)
    assert repr([Address(address)]) == f"[{shown!r}]"
    assert redacted([address, "amqp://h/"]) == f"{shown}, amqp://h/"
    assert str(Address(address)) == address  # to connect with


@pytest.mark.parametrize(
    "secret", ["x@geheim", "geheim@x", "x@geheim@x", "x@y@geheim", "x@geheim:1"]
)
@pytest.mark.parametrize("place", ["amqp://u:{}@[", "amqp://u:{}@h:x/", "http://u:{}@h/", "u:{}@h"])
def test_unescaped_at_sign(place: str, secret: str) -> None:
    """C20: no part of a password that has an @ in it, before or after that, is in the complaint."""
    with pytest.raises(ValueError, match="not a broker address") as caught:
        broker_urls(place.replace("{}", secret))
    assert "geheim" not in str(caught.value)


# -- options (Names, C4) ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["q", "x" * 255, "ä" * 127, "with blank", "~", "€"])
def test_queue_name(name: str) -> None:
    """Names: any text of 1 to 255 bytes without control characters names a queue."""
    assert check_queue(name) == name


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "have 1 to 255 bytes"),
        ("x" * 256, "1 to 255 bytes"),
        ("ä" * 128, "1 to 255 bytes"),
        ("\udcff", "1 to 255 bytes"),
        ("a\nb", "control characters"),
        ("\x00", "control characters"),
        ("\x1f", "control characters"),
        ("\x7f", "control characters"),
        (None, "be a str, not NoneType"),
        (7, "be a str, not int"),
        (b"q", "be a str, not bytes"),
    ],
)
def test_bad_queue_name(name: Any, says: str) -> None:
    """Names: a name that no queue can have is refused, and said why."""
    with pytest.raises(ValueError, match=f"a queue's name must.*{says}"):
        check_queue(name)


@pytest.mark.parametrize("seconds", [1, 30, 65535])
def test_heartbeat(seconds: int) -> None:
    """Names: a heartbeat is whole seconds, as many as AMQP's 16 bits hold."""
    assert check_heartbeat(seconds) == seconds


@pytest.mark.parametrize("seconds", [0, -1, 65536, 1.0, True, "1", None])
def test_bad_heartbeat(seconds: Any) -> None:
    """Names: a heartbeat that cannot be agreed on is refused."""
    with pytest.raises(ValueError, match="heartbeat must be whole seconds from 1 to 65535"):
        check_heartbeat(seconds)


@pytest.mark.parametrize("seconds", [MAX_TIMEOUT, 1, 0.5, 0, -3])
def test_timeout(seconds: float) -> None:
    """C4: a timeout is a number of seconds; one that is over already is a number as well."""
    assert check_timeout(seconds) == seconds


@pytest.mark.parametrize(
    "seconds", [MAX_TIMEOUT + 1, float("nan"), float("inf"), True, "1", None, 1j]
)
def test_bad_timeout(seconds: Any) -> None:
    """C4: what is no number of seconds, or more than AMQP can carry, is refused."""
    with pytest.raises(ValueError, match="timeout must be a number of seconds up to 4294967"):
        check_timeout(seconds)


# -- the request queue (C23) -----------------------------------------------------------------------------


def inequivalent(argument: str, difference: str, code: int | None = 406) -> Failure:
    """Return a refusal in RabbitMQ's words."""
    says = f"PRECONDITION_FAILED - inequivalent arg '{argument}' for queue 'q' in vhost '/': {difference}"
    return Failure(OSError(says), code)


CLASSIC: Arguments = {"x-queue-type": "classic"}


def test_declared_arguments() -> None:
    """C23: without a type a queue is declared classic; what is no type is refused."""
    assert declared_arguments(None) == declared_arguments("classic") == CLASSIC
    assert declared_arguments("quorum") == {"x-queue-type": "quorum"}
    with pytest.raises(ValueError, match=r"queue_type must be one of .*, not 'stream'"):
        declared_arguments("stream")


@pytest.mark.parametrize(
    ("refusal", "queue_type", "adopted"),
    [
        (inequivalent("x-max-length", "received none but current is the value '5' of type 'signedint'"), None,
         {**CLASSIC, "x-max-length": 5}),
        (inequivalent("x-overflow", "received none but current is the value 'drop-head' of type 'longstr'"), None,
         {**CLASSIC, "x-overflow": "drop-head"}),
        (inequivalent("x-single-active-consumer", "received none but current is the value 'true' of type 'bool'"),
         None, {**CLASSIC, "x-single-active-consumer": True}),
        (inequivalent("x-single-active-consumer", "received none but current is the value 'false' of type 'bool'"),
         None, {**CLASSIC, "x-single-active-consumer": False}),
        (inequivalent("x-queue-type", "received 'classic' but current is 'quorum'"), None,
         {"x-queue-type": "quorum"}),
        (inequivalent("x-queue-type", "received 'classic' but current is 'quorum'"), "classic", None),
        (inequivalent("x-queue-type", "received 'classic' but current is 'stream'"), None, None),
        (inequivalent("x-queue-type", "received 'classic' but current is none"), None, None),
        (inequivalent("durable", "received 'true' but current is 'false'"), None, None),
        (inequivalent("x-max-length", "received none but current is the value '5' of type 'signedint'", 403), None,
         None),
        (Failure(OSError("gone")), None, None),
    ],
    ids=range(11),
)  # fmt: skip
def test_argument_of_a_queue(
    refusal: Failure, queue_type: str | None, adopted: dict[str, Any] | None
) -> None:
    """C23: the argument in which a queue differs is taken over, but not another type than was asked for."""
    assert as_it_is(CLASSIC, refusal, queue_type) == adopted


def test_argument_that_a_queue_has_no_longer() -> None:
    """C23: an argument that was taken over is left out when the queue, made again meanwhile, has none."""
    says = "received the value '5' of type 'signedint' but current is none"
    there = {**CLASSIC, "x-max-length": 5}
    assert as_it_is(there, inequivalent("x-max-length", says), None) == CLASSIC


class Opened:
    """A connection that a queue is declared on, whose arguments it was given."""

    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments
        self.is_dropped = False

    def drop(self) -> None:
        """Be dropped."""
        self.is_dropped = True


class Opening:
    """Opens connections, on which a queue with these arguments is declared, in RabbitMQ's words."""

    def __init__(self, there: Arguments) -> None:
        self.there = there
        self.tried: list[Opened] = []

    def open(self, queue_type: str | None) -> Opened:
        """Open one."""
        self.tried.clear()
        return open_as_it_is(self._connect, self._declare, self._refused, queue_type)

    def _connect(self, arguments: Arguments) -> Opened:
        self.tried.append(Opened(arguments))
        return self.tried[-1]

    def _declare(self, opened: Opened) -> None:
        for name, value in self.there.items():
            if opened.arguments.get(name) != value:
                type_ = "" if isinstance(value, str) else " of type 'signedint'"
                current = f"received none but current is the value '{value}'{type_}"
                raise ConnectionError(inequivalent(name, current).cause.args[0])

    @staticmethod
    def _refused(error: BaseException) -> Failure:
        return Failure(error, 406)


def test_queue_as_it_is() -> None:
    """C23: it is declared again and again, each time with one argument more, until it is as it is."""
    opening = Opening({"x-queue-type": "quorum", "x-max-length": 5, "x-expires": 7})
    opened = opening.open(None)
    assert opened.arguments == opening.there
    assert [len(each.arguments) for each in opening.tried] == [1, 1, 2, 3]
    assert [each.is_dropped for each in opening.tried] == [True, True, True, False]
    with pytest.raises(ConnectionError, match="x-queue-type"):
        opening.open("classic")
    assert [each.is_dropped for each in opening.tried] == [True]
    opening.open("quorum")
    # what was asked for, before any refusal
    assert opening.tried[0].arguments == {"x-queue-type": "quorum"}


def test_queue_that_differs_in_all_it_can() -> None:
    """C23: as many arguments are taken over as a queue may have, and no attempt is made after that."""
    opening = Opening({f"x-{number}": number for number in range(ATTEMPTS)})
    assert opening.open(None).arguments == {**CLASSIC, **opening.there}
    opening.there["x-one-more"] = 1
    with pytest.raises(ConnectionError):
        opening.open(None)
    assert all(each.is_dropped for each in opening.tried)


# -- properties (C9, C13) --------------------------------------------------------------------------------


def encoded(**properties: Any) -> bytes:
    """Return properties as AMQP encodes them."""
    return b"".join(pika.BasicProperties(**properties).encode())


ALL_PROPERTIES: dict[str, Any] = {
    "content_type": "application/json", "content_encoding": "utf-8", "headers": {"a": 1}, "delivery_mode": 1,
    "priority": 7, "correlation_id": "id", "reply_to": "queue", "expiration": "100", "message_id": "m",
    "timestamp": 2**63, "type": "error", "user_id": "guest", "app_id": "app", "cluster_id": "c",
}  # fmt: skip
LEFT_OUT = ("headers", "timestamp")
BROKEN = b"\xff\xfe\xff\xfe\xff\xfe"  # no UTF-8


def test_properties_that_are_kept() -> None:
    """C9, C13: all but headers and timestamp are kept, each as it was."""
    kept = {name: value for name, value in ALL_PROPERTIES.items() if name not in LEFT_OUT}
    assert strip_undecodable_properties(encoded(**ALL_PROPERTIES)) == (encoded(**kept), None)
    assert strip_undecodable_properties(encoded()) == (encoded(), None)
    for name, value in ALL_PROPERTIES.items():
        alone = encoded(**{name: value})
        left = encoded() if name in LEFT_OUT else alone
        assert strip_undecodable_properties(alone) == (left, None)


def test_text_that_is_none() -> None:
    """C9, C13: text that is not UTF-8 is left out, and its neighbours are kept; a correlation id is told apart."""
    whole = encoded(content_type="broken", correlation_id="id", reply_to="queue")
    left = encoded(correlation_id="id", reply_to="queue")
    assert strip_undecodable_properties(whole.replace(b"broken", BROKEN)) == (left, None)
    whole = encoded(content_type="application/json", correlation_id="broken", reply_to="queue")
    left = encoded(content_type="application/json", reply_to="queue")
    assert strip_undecodable_properties(whole.replace(b"broken", BROKEN)) == (left, BROKEN)
    long = encoded(headers={"x": "y" * 70_000}, type="error")
    assert strip_undecodable_properties(long) == (encoded(type="error"), None)


def test_is_text() -> None:
    """C9: bytes are text when they are UTF-8."""
    for value in ("x", b"x", "ä".encode(), b""):
        assert is_text(value) is True
    assert is_text(b"\xff") is False
