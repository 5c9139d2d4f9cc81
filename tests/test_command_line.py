"""The command lines, carried out with a stand-in for the client: options arrive, errors have their codes."""

import argparse
import inspect
import io
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, ClassVar, Self

import pytest

from contract import (
    InvalidRequest,
    RemoteError,
    RpcAccessRefused,
    RpcClient,
    RpcClosed,
    RpcConnectionLost,
    RpcError,
    RpcServerUnavailable,
    RpcTimeout,
    Stats,
    errors,
    fib,
)
from contract.service import Service
from harness.implementations import client_class
from rpc_core import programs
from rpc_core.programs import (
    READY_LINE,
    ServerOptions,
    StopSignals,
    explain,
    load_function,
    parse_server_options,
    print_ready,
    run_client,
)

PACKAGE = "some_package"
URL = "amqp://u:p@h:1/v"


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what a program does to its process."""
    monkeypatch.delenv("AMQP_URL", raising=False)
    names = ["", "contract", "rpc_core", PACKAGE, "__main__", "pika"]
    levels = {name: logging.getLogger(name).level for name in names}
    interrupt = signal.getsignal(signal.SIGINT)
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    signal.signal(signal.SIGINT, interrupt)


class Recorder:
    """A client that notes what it is built with and asked for, and answers or fails as it is told."""

    made: ClassVar[list[Any]] = []
    asked: ClassVar[list[Any]] = []
    closed: ClassVar[int] = 0
    outcome: ClassVar[Any] = 832040

    def __init__(self, url: str | None = None, **options: Any) -> None:
        inspect.signature(RpcClient.__init__).bind(self, url, **options)  # it takes nothing else
        self.made.append({"url": url, **options})

    def call(self, n: int, *, timeout: float | None = None) -> int:
        """Answer."""
        self.asked.append((n, timeout))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return int(self.outcome)

    submit: Any = None
    stats = Stats()

    def close(self) -> None:
        """Note it."""
        type(self).closed += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        type_: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> type[Recorder]:
    """A class of its own for each test."""

    class Own(Recorder):
        made: ClassVar[list[Any]] = []
        asked: ClassVar[list[Any]] = []

    return Own


def run(recorder: type[Recorder], *arguments: str) -> int:
    """Be the client program."""
    return run_client(PACKAGE, recorder, list(arguments))


# -- the client's options --------------------------------------------------------------------------------

CLIENT_DEFAULTS = {
    "url": "amqp://guest:guest@localhost:5672/%2F",
    "queue": "rpc_queue",
    "timeout": 10.0,
    "fail_fast": False,
    "heartbeat": 30,
    "queue_type": None,
}
CLIENT_OPTIONS = [
    ([], {}),
    (["--url", URL], {"url": URL}),
    (["--url", f"{URL};amqp://x"], {"url": f"{URL};amqp://guest:guest@x:5672/%2F"}),
    (["--queue", "other"], {"queue": "other"}),
    (["--timeout", "0.25"], {"timeout": 0.25}),
    (["--timeout", "77"], {"timeout": 77.0}),
    (["--fail-fast"], {"fail_fast": True}),
    (["--heartbeat", "7"], {"heartbeat": 7}),
    (["--heartbeat", "65535"], {"heartbeat": 65535}),
    (["--queue-type", "quorum"], {"queue_type": "quorum"}),
    (["-v"], {}),
]


@pytest.mark.parametrize(("arguments", "changed"), CLIENT_OPTIONS, ids=str)
def test_each_option_of_the_client_arrives(
    recorder: type[Recorder], arguments: list[str], changed: dict[str, Any]
) -> None:
    """Names: each option, and no other, is what the client is built with; the rest are the defaults."""
    assert run(recorder, *arguments, "30") == 0
    assert recorder.made == [CLIENT_DEFAULTS | changed]
    assert recorder.asked == [(30, None)]
    assert recorder.closed == 1


def test_options_together(recorder: type[Recorder]) -> None:
    """Names: all options at once arrive, each where it belongs."""
    words = [word for options, _ in CLIENT_OPTIONS for word in options]
    assert run(recorder, *words, "30") == 0
    [made] = recorder.made
    assert made["url"].endswith("x:5672/%2F")
    del made["url"]
    assert made == {
        "queue": "other",
        "timeout": 77.0,
        "fail_fast": True,
        "heartbeat": 65535,
        "queue_type": "quorum",
    }


@pytest.mark.parametrize(
    ("typed", "n"), [("30", 30), ("-1", -1), (" 7\n", 7), ("10001", 10001), ("1_000", 1000)]
)
def test_n(
    recorder: type[Recorder],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    n: int,
) -> None:
    """Names: n is an argument, or else what stands on standard input; the server judges it."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert run(recorder, typed) == run(recorder) == 0
    assert recorder.asked == [(n, None)] * 2
    assert capsys.readouterr().out == f" [x] Requesting fib({n})\n [.] Got 832040\n" * 2


def test_what_is_asked_is_shown_at_once(
    recorder: type[Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names: a pipe gets the question before the answer is there, and the answer as soon as it is."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written))
    seen: list[bytes] = []

    def call(_client: RpcClient, _n: int) -> int:
        seen.append(written.getvalue())
        return 55

    monkeypatch.setattr(recorder, "call", call)
    monkeypatch.setattr(recorder, "close", lambda _: seen.append(written.getvalue()))
    assert run(recorder, "10") == 0
    assert seen == [b" [x] Requesting fib(10)\n", b" [x] Requesting fib(10)\n [.] Got 55\n"]


def test_only_the_first_line_is_read(
    recorder: type[Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names: what follows the first line of standard input is not read."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("1\n2\n"))
    assert run(recorder) == 0
    assert recorder.asked == [(1, None)]


# -- the client's ends -----------------------------------------------------------------------------------

ENDS: dict[type[Exception], tuple[Exception, int, str]] = {
    InvalidRequest: (InvalidRequest("negative"), 1, "the server refused the request: negative"),
    RemoteError: (
        RemoteError("ValueError", "boom"),
        1,
        "the function failed in the server: ValueError: boom (its traceback is in the server's log)",
    ),
    RpcTimeout: (
        RpcTimeout("no answer"),
        69,
        "no answer: try again with a longer --timeout, look at the server's log, "
        "or check that the server is of the same layer",
    ),
    RpcServerUnavailable: (
        RpcServerUnavailable("nobody"),
        69,
        "nobody: start what is missing, or check --url (else $AMQP_URL) and --queue",
    ),
    RpcConnectionLost: (
        RpcConnectionLost("gone"),
        69,
        "gone: the request may have run; try again if that does no harm",
    ),
    RpcAccessRefused: (
        RpcAccessRefused("no"),
        77,
        "no: check user and password in --url (else $AMQP_URL), the user's permissions, and --queue-type",
    ),
    RpcClosed: (RpcClosed("closed"), 69, "closed"),
    RpcError: (RpcError("something"), 69, "something"),
    ValueError: (ValueError("heartbeat must be"), 2, "heartbeat must be"),
}


def test_all_errors_are_below() -> None:
    """Names: no error of the contract is missing from the table of exit codes."""
    ours = {
        each
        for each in vars(errors).values()
        if inspect.isclass(each) and issubclass(each, RpcError)
    }
    assert ours | {ValueError} == ENDS.keys()


@pytest.mark.parametrize("kind", list(ENDS), ids=lambda kind: kind.__name__)
def test_exit_code(
    recorder: type[Recorder], capsys: pytest.CaptureFixture[str], kind: type[Exception]
) -> None:
    """Names: each error has the exit code that --help promises, and one line that says what to do."""
    recorder.outcome, code, says = ENDS[kind]
    assert run(recorder, "30") == code
    said = capsys.readouterr()
    assert said.out == " [x] Requesting fib(30)\n"
    [line] = said.err.splitlines()
    assert line == f"python -m {PACKAGE}.rpc_client: {says}"
    assert explain(recorder.outcome) == says
    assert recorder.closed == 1


def test_error_of_the_constructor(
    recorder: type[Recorder], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names: what the client is not made with is wrong usage."""

    def refuse(*_: object, **__: object) -> None:
        raise ValueError("timeout must be a number")

    monkeypatch.setattr(recorder, "__init__", refuse)
    assert run(recorder, "30") == 2
    assert capsys.readouterr().err == f"python -m {PACKAGE}.rpc_client: timeout must be a number\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["x"], "n must be an integer, not 'x'"),
        (["1.5"], "n must be an integer, not '1.5'"),
        (["30", "31"], "unrecognized arguments: 31"),
        (["--timeout", "soon", "30"], "argument --timeout"),
        (
            ["--heartbeat", "0", "30"],
            "argument --heartbeat: must be a whole number from 1 to 65535, not '0'",
        ),
        (
            ["--heartbeat", "65536", "30"],
            "argument --heartbeat: must be a whole number from 1 to 65535",
        ),
        (["--queue", "", "30"], "argument --queue: a queue's name must have 1 to 255 bytes"),
        (["--queue-type", "stream", "30"], "argument --queue-type"),
        (["--url", "h", "30"], "argument --url: not a broker address"),
        (["--function", "x:y", "30"], "--function"),
    ],
    ids=str,
)
def test_wrong_usage(
    recorder: type[Recorder], capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    """Names: wrong usage is one line and exit code 2, and nothing is asked."""
    with pytest.raises(SystemExit) as ended:
        run(recorder, *arguments)
    assert ended.value.code == 2
    said = capsys.readouterr()
    [line] = said.err.splitlines()
    assert line.startswith(f"python -m {PACKAGE}.rpc_client: ")
    assert says in line
    assert line.endswith(" (see --help)")
    assert (said.out, recorder.made) == ("", [])


@pytest.mark.parametrize(("verbose", "level"), [(True, logging.DEBUG), (False, logging.INFO)])
def test_log_levels(recorder: type[Recorder], verbose: bool, level: int) -> None:
    """Names: -v shows every message of this project's; other libraries only warn, and pika says nothing."""
    assert run(recorder, *["-v"] * verbose, "30") == 0
    for name in ("contract", "rpc_core", PACKAGE, "__main__"):
        assert logging.getLogger(name).level == level
    assert logging.getLogger().level == logging.WARNING
    assert logging.getLogger("pika").level == logging.CRITICAL


def test_log_lines(
    recorder: type[Recorder], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names: what is logged stands on standard error, with time, level and where it comes from."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's
    assert run(recorder, "30") == 0
    logging.getLogger("rpc_core.x").info("told")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO rpc_core\.x: told\n", capsys.readouterr().err
    )


def test_interrupt(recorder: type[Recorder]) -> None:
    """C7: Ctrl-C ends the client program as the system would, unless somebody has said otherwise."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run(recorder, "30")
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run(recorder, "30")
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


# -- the server's options --------------------------------------------------------------------------------

SERVER_DEFAULTS = ServerOptions(
    urls=["amqp://guest:guest@localhost:5672/%2F"],
    queue="rpc_queue",
    function=fib,
    concurrency=1,
    prefetch=1,
    heartbeat=30,
    queue_type=None,
    queue_arguments={"x-queue-type": "classic"},
    verbose=False,
)
SERVER_OPTIONS = [
    ([], {}),
    (["--url", f"{URL};amqp://x"], {"urls": [URL, "amqp://guest:guest@x:5672/%2F"]}),
    (["--queue", "other"], {"queue": "other"}),
    (["--function", "os:getpid"], {"function": os.getpid}),
    (["--concurrency", "3"], {"concurrency": 3, "prefetch": 3}),
    (["--prefetch", "5"], {"prefetch": 5}),
    (["--concurrency", "3", "--prefetch", "2"], {"concurrency": 3, "prefetch": 2}),
    (["--heartbeat", "7"], {"heartbeat": 7}),
    (
        ["--queue-type", "quorum"],
        {"queue_type": "quorum", "queue_arguments": {"x-queue-type": "quorum"}},
    ),
    (["-v"], {"verbose": True}),
    (["--verbose"], {"verbose": True}),
]


@pytest.mark.parametrize(("arguments", "changed"), SERVER_OPTIONS, ids=str)
def test_each_option_of_the_server_arrives(arguments: list[str], changed: dict[str, Any]) -> None:
    """Names: each option, and no other, is in what the server is built with; the rest are the defaults."""
    found = parse_server_options(PACKAGE, arguments)
    assert vars(found) == vars(SERVER_DEFAULTS) | changed
    assert logging.getLogger(PACKAGE).level == (logging.DEBUG if found.verbose else logging.INFO)


def test_function_that_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """Names: a server's function that cannot be had is wrong usage, and one line says why."""
    with pytest.raises(SystemExit) as ended:
        parse_server_options(PACKAGE, ["--function", "contract.fibonacci:MAX_N"])
    assert ended.value.code == 2
    says = "'contract.fibonacci:MAX_N' is not a function (see --help)"
    assert capsys.readouterr().err == f"python -m {PACKAGE}.rpc_server: {says}\n"


def test_function_of_another_service(capsys: pytest.CaptureFixture[str]) -> None:
    """Names: a server of another service than fib's is told its function, or it is wrong usage."""
    service = Service(str, str)
    found = parse_server_options(PACKAGE, ["--function", "os:getenv"], service)
    assert (found.function, found.service) == (os.getenv, service)
    with pytest.raises(SystemExit) as ended:
        parse_server_options(PACKAGE, [], service)
    assert ended.value.code == 2
    says = "the following arguments are required: --function (see --help)"
    assert capsys.readouterr().err == f"python -m {PACKAGE}.rpc_server: {says}\n"


def test_share_of_a_worker() -> None:
    """C15: what a server may hold belongs to its workers in equal parts, rounded up, and is all of theirs."""
    options = parse_server_options(PACKAGE, ["--concurrency", "3", "--prefetch", "7"])
    assert [options.share(workers) for workers in range(4)] == [0, 3, 5, 7]


def test_address_from_the_environment(
    recorder: type[Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names: without --url both programs take $AMQP_URL."""
    monkeypatch.setenv("AMQP_URL", URL)
    assert parse_server_options(PACKAGE, []).urls == [URL]
    assert run(recorder, "30") == 0
    assert recorder.made[0]["url"] == URL
    assert parse_server_options(PACKAGE, ["--url", "amqp://x"]).urls == [
        "amqp://guest:guest@x:5672/%2F"
    ]


COMMON_HELP = """
    --url URLS  The broker, or several separated by ';' to try in turn, as amqp://user:password@host:port/vhost
        or amqps://... (default: $AMQP_URL, else amqp://guest:guest@localhost:5672/%2F)
    --queue NAME  The request queue. (default: rpc_queue)
    --queue-type {classic,quorum}  The type that the request queue must have; quorum is replicated over a
        cluster. (default: of the queue that exists, else classic)
    --heartbeat S  The heartbeat timeout in seconds: a silent connection counts as lost within 2.5 times as long
        plus 10 s. (default: 30)
    -v, --verbose  Show every message as it passes.
"""
CLIENT_HELP = f"""
usage: python -m {PACKAGE}.rpc_client [-h] [--url URLS] [--queue NAME] [--queue-type {{classic,quorum}}]
    [--heartbeat S] [-v] [--timeout S] [--fail-fast] [n]
Ask a server for fib(n) and print the answer.
positional arguments:
    n  The number to ask for; read from standard input if absent.
options:
    -h, --help  show this help message and exit
    {COMMON_HELP}
    --timeout S  Seconds to wait for the answer. (default: 10.0)
    --fail-fast  Fail within 1 s when no server consumes the queue.
exit codes: 0 done; 1 the server answered with an error; 2 wrong usage; 69 no answer (no broker, no server, too
    late, connection lost); 77 the broker refused the user, the password, a permission, the certificate, or the
    queue's declaration
"""
SERVER_HELP = f"""
usage: python -m {PACKAGE}.rpc_server [-h] [--url URLS] [--queue NAME] [--queue-type {{classic,quorum}}]
    [--heartbeat S] [-v] [--function MODULE:ATTR] [--concurrency N] [--prefetch N]
Serve fib(n), or a function of your own, from an AMQP queue.
options:
    -h, --help  show this help message and exit
    {COMMON_HELP}
    --function MODULE:ATTR  The function to serve: it takes an int and returns an int.
        (default: contract.fibonacci:fib)
    --concurrency N  How many requests to compute at once. (default: 1)
    --prefetch N  How many requests to hold at once; more than are computed at once raises throughput and makes
        dispatch less fair. (default: as many as are computed)
exit codes: 0 stopped by SIGTERM or Ctrl-C; 2 wrong usage; 77 the broker refused the user, the password, a
    permission, the certificate, or the queue's declaration
"""


@pytest.mark.parametrize(
    ("show", "text"),
    [
        (lambda: run_client(PACKAGE, Recorder, ["--help"]), CLIENT_HELP),
        (lambda: parse_server_options(PACKAGE, ["--help"]), SERVER_HELP),
        (
            lambda: parse_server_options(PACKAGE, ["--help"], Service(str, str)),
            SERVER_HELP.replace("[--function MODULE:ATTR]", "--function MODULE:ATTR")
            .replace("an int and returns an int.", "what the service's check of a request returns.")
            .replace("(default: contract.fibonacci:fib)", "(required)"),
        ),
    ],
    ids=["rpc_client", "rpc_server", "another service"],
)
def test_help(
    show: Callable[[], object],
    text: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Names: --help tells all options with their defaults, and the exit codes; line breaks aside."""
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(SystemExit) as ended:
        show()
    assert ended.value.code == 0
    assert capsys.readouterr().out.split() == text.split()


def test_signature(backend: str) -> None:
    """Names: the class, its methods, their arguments and defaults are the contract's, in every implementation."""
    ours = client_class(backend)
    assert ours.__name__ == "FibonacciRpcClient"
    for method in ("__init__", "call", "submit", "close", "__enter__", "__exit__"):
        expected = inspect.signature(getattr(RpcClient, method)).parameters.values()
        found = inspect.signature(getattr(ours, method)).parameters.values()
        assert [(p.name, p.kind, p.default) for p in found] == [
            (p.name, p.kind, p.default) for p in expected
        ]
    assert isinstance(inspect.getattr_static(ours, "stats"), property)
    defaults = {p.name: p.default for p in inspect.signature(ours).parameters.values()}
    assert defaults == CLIENT_DEFAULTS | {"url": None}


# -- the server's parts ----------------------------------------------------------------------------------


def test_function_that_is_named() -> None:
    """Names: MODULE:ATTR is imported; what is wrong with it is said in one line."""
    assert load_function("contract.fibonacci:fib") is fib
    for name, says in {
        "no.such.module:x": r"cannot load function 'no.such.module:x' \(MODULE:ATTR\): ModuleNotFoundError",
        "contract.fibonacci:x": "AttributeError",
        "contract.fibonacci": "cannot load function 'contract.fibonacci' .*AttributeError",
        "contract.fibonacci:MAX_N": "'contract.fibonacci:MAX_N' is not a function",
        "": "cannot load function",
    }.items():
        with pytest.raises(ValueError, match=says):
            load_function(name)


def test_ready_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Names: the ready line is the tutorial's."""
    print_ready()
    assert capsys.readouterr().out == " [x] Awaiting RPC requests\n"
    assert READY_LINE == " [x] Awaiting RPC requests"


def test_ready_line_that_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """C18: whoever waited for the ready line may have gone: that is no error, and all output goes nowhere then."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as nowhere:
        monkeypatch.setattr(sys, "stdout", nowhere)
        print_ready()
        print("more", flush=True)
        assert os.path.samestat(os.fstat(writer), os.stat(os.devnull))
        monkeypatch.undo()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_signals(number: signal.Signals) -> None:
    """C17: SIGTERM and SIGINT are requests to stop, which end a pause; afterwards they are what they were."""
    before = signal.getsignal(number)
    woken: list[bool] = []
    with StopSignals(lambda: woken.append(True)) as signals:
        begun = time.monotonic()
        assert not signals.wait(0.05)
        assert time.monotonic() - begun >= 0.04
        threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
        assert signals.wait(20)
        assert woken == [True]
        assert os.read(signals.fileno(), 10) == b"."
        assert signals.wait(20)  # at once: it came
    assert signal.getsignal(number) is before


def test_ctrl_break(monkeypatch: pytest.MonkeyPatch) -> None:
    """C17: where there is a Ctrl-Break (Windows) it stops a server as Ctrl-C does."""
    monkeypatch.setattr(signal, "SIGBREAK", signal.SIGUSR1, raising=False)
    before = signal.getsignal(signal.SIGUSR1)
    with StopSignals(lambda: None) as signals:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert signals.wait(20)
    assert signal.getsignal(signal.SIGUSR1) is before


@pytest.fixture
def without_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where Python runs a signal's handler after the wait that it should end."""
    monkeypatch.delattr(os, "register_at_fork")


@pytest.mark.usefixtures("without_forks")
def test_stop_signals_without_forks() -> None:
    """C17: on Windows a thread wakes the server; what came stays readable, for an event loop."""
    woken: list[str] = []
    with StopSignals(lambda: woken.append(threading.current_thread().name)) as signals:
        assert signals._waker is not None
        assert signals._waker.daemon
        os.kill(os.getpid(), signal.SIGTERM)
        signals._waker.join(10)
        assert sorted(woken) == ["MainThread", "rpc-signals"]
        assert signals.wait(20)
        assert os.read(signals.fileno(), 10) == bytes([signal.SIGTERM]) + b"."
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.usefixtures("without_forks")
def test_end_without_a_signal() -> None:
    """C17: on Windows the thread that waits for signals ends with the server, if none came."""
    with StopSignals(lambda: None) as signals:
        waker = signals._waker
        assert waker is not None
        assert waker.is_alive()
    assert not waker.is_alive()


@pytest.mark.usefixtures("without_forks")
def test_many_stop_signals_without_forks(capfd: pytest.CaptureFixture[str]) -> None:
    """C17: on Windows, too, signals that come again and again do no harm, and nothing is said of them."""
    with StopSignals(lambda: None) as signals:
        for _ in range(20_000):
            signals._on_signal()
        os.kill(os.getpid(), signal.SIGTERM)
    assert capfd.readouterr().err == ""


def test_many_stop_signals() -> None:
    """C17: signals that come again and again, or when the server has ended, do no harm."""
    signals = StopSignals(lambda: None)
    with signals:
        for _ in range(20_000):
            signals._on_signal()
    signals._on_signal()
    assert signals.stop_requested


def test_number_of_16_bits() -> None:
    """Names: heartbeat, prefetch and concurrency are whole numbers that AMQP's 16 bits hold."""
    for text in ("1", "65535"):
        assert programs._positive(text) == int(text)
    for text in ("0", "65536", "-1", "1.5", "", "x", "²", " 1"):
        with pytest.raises(argparse.ArgumentTypeError, match="whole number from 1 to 65535"):
            programs._positive(text)
