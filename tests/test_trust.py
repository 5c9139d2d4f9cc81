"""C20: whom client and server trust, what they do when they are refused, and what they keep to themselves."""

import io
import json
import logging
import pickle
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import trustme

from conftest import Connect, Serve
from contract import RpcAccessRefused, RpcClient, RpcError
from harness.broker import PrivateBroker, TlsFiles, binary
from rpc_core.addresses import broker_urls
from rpc_core.programs import EXIT_REFUSED, EXIT_UNAVAILABLE, EXIT_USAGE
from tests.running import LOG_LINE, run
from tests.waiting import take_request, wait_until

PASSWORD = "geheim/:@;?#%41 ü"  # of everything that must be percent-encoded in a URL
SECRETS = ("geheim", quote(PASSWORD, safe=""))
AT_ONCE = 15.0  # seconds: far less than the deadline of the calls below, which is
LATER = 50.0


@dataclass(frozen=True)
class Guarded:
    """A broker with a TLS listener, the authority behind it and another authority."""

    node: PrivateBroker
    authority: str
    stranger: str

    def url(self, user: str, password: str = PASSWORD, vhost: str = "/") -> str:
        """Return the address of the listener without TLS."""
        secret = quote(password, safe="")
        return f"amqp://{user}:{secret}@127.0.0.1:{self.node.port}/{quote(vhost, safe='')}"

    @cached_property
    def user(self) -> str:
        """A user who may do everything."""
        return self.add_user(".*", ".*", ".*")

    def add_user(self, *permissions: str) -> str:
        """Add a user with these permissions (to configure, write, read) and return the name."""
        name = f"user-{uuid.uuid4().hex[:8]}"
        args = ", ".join(map(binary, (name, PASSWORD, "tests")))
        self.node.evaluate(f"ok = rabbit_auth_backend_internal:add_user({args})")
        if permissions:
            self.set_permissions(name, *permissions)
        return name

    def set_permissions(self, user: str, *permissions: str, vhost: str = "/") -> None:
        """Say what a user may configure, write and read."""
        args = ", ".join(map(binary, (user, vhost, *permissions, "tests")))
        self.node.evaluate(f"ok = rabbit_auth_backend_internal:set_permissions({args})")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """One such broker for the tests of this file."""
    place = tmp_path_factory.mktemp("tls")
    authority, stranger = trustme.CA(), trustme.CA()
    leaf = authority.issue_cert("localhost")
    leaf.cert_chain_pems[0].write_to_path(place / "cert.pem")
    leaf.private_key_pem.write_to_path(place / "key.pem")
    authority.cert_pem.write_to_path(place / "ca.pem")
    stranger.cert_pem.write_to_path(place / "stranger.pem")
    tls = TlsFiles(place / "cert.pem", place / "key.pem", place / "ca.pem")
    with PrivateBroker(tls=tls) as node:
        yield Guarded(node, str(place / "ca.pem"), str(place / "stranger.pem"))


def assert_no_secret(text: str) -> None:
    """Fail if a password, or its percent-encoded form, is in the text."""
    assert not any(secret in text for secret in SECRETS), text


def assert_refused(client: RpcClient, caplog: pytest.LogCaptureFixture) -> str:
    """Fail unless the client's calls are refused at once and not tried again; return the error."""
    for _ in range(2):
        begun = time.monotonic()
        with pytest.raises(RpcAccessRefused) as caught:
            client.call(1, timeout=LATER)
        assert time.monotonic() - begun < AT_ONCE
        assert isinstance(caught.value, PermissionError)
        assert "refused" in str(caught.value)
    assert "next attempt in" not in caplog.text
    assert client.stats.in_flight == 0
    assert_no_secret(f"{caught.value!r} {caught.value}")
    return str(caught.value)


def assert_server_refused(backend: str, url: str, queue: str, **env: str) -> None:
    """Fail unless the server exits with 77 and one line that says why."""
    done = run(f"{backend}.rpc_server", "--url", url, "--queue", queue, **env)
    assert done.returncode == EXIT_REFUSED, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "refused" in done.stderr
    assert done.stdout == ""
    assert_no_secret(done.stderr)


# -- TLS -------------------------------------------------------------------------------------------


def test_tls(
    serve: Serve, connect: Connect, guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C20: amqps:// works with a broker whose authority is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", guarded.authority)  # the server's environment, too
    url = guarded.node.tls_url
    serve(url=url, prefetch=5)
    client = connect(url=url)
    assert client.call(10) == 55
    numbers = range(300)
    assert [future.result() for future in [client.submit(n % 3) for n in numbers]] == [
        [0, 1, 1][n % 3] for n in numbers
    ]
    every = "[Ssl || [{ssl, Ssl}] <- rabbit_networking:connection_info_all([ssl])]"
    assert set(json.loads(guarded.node.evaluate(every))) == {True}


@pytest.mark.parametrize("wrong", ["authority", "host-name", "listener"])
def test_tls_refused(
    backend: str,
    connect: Connect,
    guarded: Guarded,
    queue: str,
    wrong: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """C20: by default amqps:// verifies authority and host name, and never falls back to plain."""
    trusted = guarded.stranger if wrong == "authority" else guarded.authority
    url = guarded.node.tls_url or ""
    if wrong == "host-name":
        url = url.replace("localhost", "127.0.0.1")
    elif wrong == "listener":
        url = url.replace(url.rpartition(":")[2], f"{guarded.node.port}/%2F")
    monkeypatch.setenv("SSL_CERT_FILE", trusted)
    error = assert_refused(connect(url=url), caplog)
    assert re.search("certificate verify failed" if wrong != "listener" else "(?i)ssl|tls", error)
    assert_server_refused(backend, url, queue)


def test_celery_programs_verify(guarded: Guarded) -> None:
    """C20: at amqps:// Celery's command line verifies authority and host name as well."""
    url = guarded.node.tls_url or ""
    purge = ("celery", "-A", "celery_impl", "purge", "-f", "-Q", "rpc_queue")
    for address, authority, code in (
        (url, guarded.authority, 0),
        (url, guarded.stranger, 1),
        (url.replace("localhost", "127.0.0.1"), guarded.authority, 1),
    ):
        done = run(*purge, AMQP_URL=address, SSL_CERT_FILE=authority)
        assert done.returncode == code, done.stderr
        assert ("certificate verify failed" in done.stderr) is (code != 0)


def test_plain_client_at_a_tls_listener(connect: Connect, guarded: Guarded) -> None:
    """C20: amqp:// to a TLS listener fails with the contract's error, inside the deadline."""
    url = (guarded.node.tls_url or "").replace("amqps:", "amqp:")
    begun = time.monotonic()
    with pytest.raises(RpcError):
        connect(url=url).call(1, timeout=3)
    assert time.monotonic() - begun < AT_ONCE


# -- credentials -----------------------------------------------------------------------------------


def test_encoded_password(serve: Serve, connect: Connect, guarded: Guarded) -> None:
    """C20: a password with reserved characters is given percent-encoded; so is the vhost."""
    user = guarded.add_user()
    vhost = f"a/b c@{uuid.uuid4().hex[:8]}"
    guarded.node.evaluate(f"ok = rabbit_vhost:add({binary(vhost)}, <<>>)")
    guarded.set_permissions(user, ".*", ".*", ".*", vhost=vhost)
    url = guarded.url(user, vhost=vhost)
    serve(url=url)
    assert connect(url=url).call(10) == 55


@pytest.mark.parametrize("wrong", ["user", "password", "vhost"])
def test_refused(
    backend: str,
    connect: Connect,
    guarded: Guarded,
    queue: str,
    wrong: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """C20: a wrong password and the like is an error at once, in client and server: no retry loop."""
    user = guarded.user
    url = {
        "user": guarded.url("nobody"),
        "password": guarded.url(user, PASSWORD + "x"),
        "vhost": guarded.url(user, vhost="none"),
    }[wrong]
    assert_refused(connect(url=url), caplog)
    assert_server_refused(backend, url, queue)


@pytest.mark.parametrize(
    "permissions",
    [(), ("^$", ".*", ".*"), (".*", ".*", "^$"), (".*", "^$", ".*")],
    ids=["any", "configure", "read", "write"],
)
def test_missing_permission(
    backend: str,
    serve: Serve,
    connect: Connect,
    guarded: Guarded,
    queue: str,
    permissions: tuple[str, ...],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """C20: a missing permission is an error at once; the same client works once it has been given."""
    serve(url=guarded.node.url)
    user = guarded.add_user(*permissions)
    url = guarded.url(user)
    client = connect(url=url)
    assert_refused(client, caplog)
    if permissions[1:2] != ("^$",):  # a server finds out when it replies for the first time
        assert_server_refused(backend, url, queue)
    guarded.set_permissions(user, ".*", ".*", ".*")
    assert client.call(10, timeout=LATER) == 55


def test_server_that_may_not_reply(
    backend: str, serve: Serve, connect: Connect, guarded: Guarded
) -> None:
    """C20: a server that may not reply says so and ends; the call is another server's."""
    server = serve(url=guarded.url(guarded.add_user(".*", "^$", ".*")))
    client = connect(url=guarded.node.url)
    future = client.submit(10, timeout=LATER)
    assert server.wait(20) == EXIT_REFUSED
    assert "refused" in server.output
    assert_no_secret(server.output)
    serve(url=guarded.node.url)
    assert future.result() == 55


def test_server_that_may_not_reply_for_a_while(
    serve: Serve, connect: Connect, guarded: Guarded
) -> None:
    """C18: a server that has served stays when its permissions are revoked, and serves when it has them again."""
    user = guarded.add_user(".*", ".*", ".*")
    server = serve(url=guarded.url(user), function="harness.functions:slow")
    client = connect(url=guarded.node.url)
    assert client.call(1, timeout=LATER) == 1
    # until then RabbitMQ has forgotten what it allowed: a channel does when it was idle for a second
    future = client.submit(1500, timeout=LATER)
    wait_until(lambda: client.stats.sent == 2, "the request to be sent")
    guarded.set_permissions(user, ".*", "^$", ".*")
    server.wait_for_output("next attempt in", 20)
    assert not future.done()
    guarded.set_permissions(user, ".*", ".*", ".*")
    assert future.result() == 1500
    assert server.running


# -- what is kept ----------------------------------------------------------------------------------


def test_no_password_in_process(
    serve: Serve, connect: Connect, guarded: Guarded, caplog: pytest.LogCaptureFixture
) -> None:
    """C20: no password in a log line of any library, an error, or a repr."""
    caplog.set_level(logging.DEBUG)  # of the root: pika's, kombu's and amqp's as well
    good = guarded.url(guarded.user)
    absent = good.replace(str(guarded.node.port), "1")
    refused = guarded.url("nobody")
    serve(url=good)
    said = []
    for url in (good, absent, refused, f"{absent};{good}"):
        client = connect(url=url)
        with suppress(RpcError):
            client.call(10, timeout=2)
        with pytest.raises(RpcError) as caught:
            client.call(-1, timeout=1)
        error = caught.value
        said += [str(error), repr(error), repr(error.__cause__), repr(error.__context__)]
        inside = vars(client)
        said += [repr(client), str(client), repr(inside), *map(str, inside.values())]
    assert len(caplog.records) > 5
    assert_no_secret("\n".join([*said, caplog.text]))


@pytest.mark.parametrize(
    "template",
    [
        "amqp://u:{}",
        "amqp://u:{}@",
        "amqp://u:{}@host:x/",
        "amqp://u:{}@host/a/b",
        "amqp:/u:{}@host/",
        "http://u:{}@host/",
        "u:{}@host",
        "amqp://u:{}@host/;amqp://u:{}@[",
        "amqp://u:1{};2{}@host/",
    ],
    ids=range(9),
)
@pytest.mark.parametrize(
    "secret", ["geheim", "ge;geheim", "geheim@x", "geheim/x", "geheim:1", "1#geheim"]
)
def test_malformed_address(template: str, secret: str) -> None:
    """C20: the error about a malformed address shows no part of what may be a password in it."""
    try:
        said = repr(broker_urls(template.replace("{}", secret)))  # some are well-formed
    except ValueError as error:
        said = f"{error!r} {error.__cause__!r} {error.__context__!r}"
    assert_no_secret(said)


def test_no_password_in_output(backend: str, guarded: Guarded, queue: str, serve: Serve) -> None:
    """C20: no password in what a program writes, with -v too, whatever goes wrong."""
    good = guarded.url(guarded.user)
    refused, malformed = guarded.url("nobody"), f"amqp://user:{PASSWORD}@host/"
    absent = good.replace(str(guarded.node.port), "1")
    server = serve(url=f"{absent};{good}", extra_args=["-v"])
    expected = {good: 0, refused: EXIT_REFUSED, absent: EXIT_UNAVAILABLE, malformed: EXIT_USAGE}
    for url, code in expected.items():
        arguments = ("-v", "--url", url, "--queue", queue, "--timeout", "2", "10")
        done = run(f"{backend}.rpc_client", *arguments)
        assert done.returncode == (code or 0), done.stderr
        assert_no_secret(done.stdout + done.stderr)
        lines = [line for line in done.stderr.splitlines() if not LOG_LINE.match(line)]
        assert len(lines) == bool(code), done.stderr
    server.wait_for_output("55")
    guarded.node.close_all_connections("test")
    server.wait_for_output("next attempt in(.|\n)*Awaiting")
    server.terminate()
    assert_no_secret(server.output)
    for url, code in ((refused, EXIT_REFUSED), (malformed, EXIT_USAGE)):
        done = run(f"{backend}.rpc_server", "-v", "--url", url, "--queue", queue)
        assert done.returncode == code, done.stderr
        assert_no_secret(done.stdout + done.stderr)


# -- pickle ----------------------------------------------------------------------------------------


class Trap:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return io.open, (str(self.path), "w")


PICKLES = [
    "application/x-python-serialize",
    "application/json",
    "application/data",
    "text/plain",
    None,
]


def test_no_pickle_is_accepted(
    serve: Serve, client: RpcClient, queue: str, channel: Any, tmp_path: Path
) -> None:
    """C20: a pickled message, request or reply, is not unpickled, whatever it says it is."""
    bait, trap = pickle.dumps(Trap(tmp_path / "bait")), tmp_path / "trap"
    pickle.loads(bait).close()
    assert (tmp_path / "bait").exists()  # the trap works
    body = pickle.dumps(Trap(trap))
    future = client.submit(10, timeout=LATER)
    method, request, _ = take_request(
        client, channel, queue
    )  # ours, for the headers that Celery requires
    replies = channel.queue_declare("", exclusive=True).method.queue
    for content_type in PICKLES:
        for encoding in ("binary", "utf-8", None):
            request.content_type, request.content_encoding = content_type, encoding
            channel.basic_publish("", request.reply_to, body, request)
    wait_until(lambda: client.stats.malformed == 15, "the replies to be counted")
    channel.basic_nack(method.delivery_tag, requeue=True)
    serve()
    assert future.result() == 55
    request.reply_to = replies
    for content_type in PICKLES:
        request.content_type = content_type
        channel.basic_publish("", queue, body, request)
        _, _, answer = next(channel.consume(replies, auto_ack=True, inactivity_timeout=20))
        assert b"InvalidRequest" in answer
    assert client.call(11) == 89
    assert not trap.exists()


def test_no_pickle_is_produced(serve: Serve, client: RpcClient, queue: str, channel: Any) -> None:
    """C20: requests, replies and error replies are JSON."""
    replies = channel.queue_declare("", exclusive=True).method.queue
    requests: list[Any] = []

    def both_taken() -> bool:
        taken = channel.basic_get(queue, auto_ack=True)
        requests.extend([taken] if taken[0] is not None else [])
        return len(requests) == 2

    for n in (10, -1):
        client.submit(n)
    wait_until(lambda: client.stats.sent == 2, "the requests to be sent")  # the queue is there then
    wait_until(both_taken, "both requests to be in the queue")
    serve()
    for _, properties, body in requests:
        assert properties.content_type == "application/json"
        json.loads(body)
        properties.reply_to = replies
        channel.basic_publish("", queue, body, properties)
        _, reply, body = next(channel.consume(replies, auto_ack=True, inactivity_timeout=20))
        assert reply.content_type == "application/json"
        json.loads(body)
