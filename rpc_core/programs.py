"""Names: the command lines of every `rpc_client` and `rpc_server` module: arguments, output, exit codes."""

import argparse
import logging
import os
import selectors
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NoReturn, Self, TypeVar

from contract.client import RpcClient
from contract.errors import (
    InvalidRequest,
    RemoteError,
    RpcAccessRefused,
    RpcConnectionLost,
    RpcError,
    RpcServerUnavailable,
    RpcTimeout,
)
from contract.limits import DEFAULT_HEARTBEAT, DEFAULT_TIMEOUT, FAIL_FAST_WITHIN
from contract.service import FIBONACCI, Service
from rpc_core.addresses import broker_urls
from rpc_core.options import check_queue
from rpc_core.request_queue import (
    DEFAULT_QUEUE_TYPE,
    QUEUE_TYPES,
    Arguments,
    declared_arguments,
)

EXIT_ERROR_REPLY = 1  # the server answered, with an error
EXIT_USAGE = 2
# the numbers of sysexits.h, for which Windows has no names in `os`
EXIT_UNAVAILABLE = 69  # no answer: no broker, no server, too late, connection lost
EXIT_REFUSED = 77  # the broker refuses this user, password, permission, certificate or queue

READY_LINE = " [x] Awaiting RPC requests"

REFUSED = (
    "77 the broker refused the user, the password, a permission, the certificate, "
    "or the queue's declaration"
)
SERVER_EXIT_CODES = f"exit codes: 0 stopped by SIGTERM or Ctrl-C; 2 wrong usage; {REFUSED}"
CLIENT_EXIT_CODES = (
    "exit codes: 0 done; 1 the server answered with an error; 2 wrong usage; "
    f"69 no answer (no broker, no server, too late, connection lost); {REFUSED}"
)

T = TypeVar("T")


@dataclass(frozen=True)
class ServerOptions:
    """What `python -m <package>.rpc_server` was asked to do. Times in seconds."""

    urls: list[str]
    queue: str
    function: Callable[[Any], Any]
    concurrency: int
    prefetch: int
    heartbeat: int
    queue_type: str | None  # None: none was asked for
    queue_arguments: Arguments
    verbose: bool
    service: Service = FIBONACCI

    def share(self, workers: int) -> int:
        """C15: how many of the requests that a server may hold belong to so many of its workers."""
        return -(-self.prefetch * workers // self.concurrency)


def parse_server_options(
    package: str, argv: list[str] | None = None, service: Service = FIBONACCI
) -> ServerOptions:
    """Read a server's command line. Exits with 2 and one line on standard error if it is wrong."""
    parser = _parser(
        f"{package}.rpc_server",
        "Serve fib(n), or a function of your own, from an AMQP queue.",
        SERVER_EXIT_CODES,
    )
    if service is FIBONACCI:
        function_help = "it takes an int and returns an int. (default: %(default)s)"
    else:
        function_help = "it takes what the service's check of a request returns. (required)"
    parser.add_argument(
        "--function",
        default="contract.fibonacci:fib",
        required=service is not FIBONACCI,  # fib would fail at each request of another service
        metavar="MODULE:ATTR",
        help=f"The function to serve: {function_help}",
    )
    parser.add_argument(
        "--concurrency",
        type=_positive,
        default=1,
        metavar="N",
        help="How many requests to compute at once. (default: %(default)s)",
    )
    parser.add_argument(
        "--prefetch",
        type=_positive,
        metavar="N",
        help="How many requests to hold at once; more than are computed at once raises throughput and "
        "makes dispatch less fair. (default: as many as are computed)",
    )
    arguments = parser.parse_args(argv)
    try:
        function = load_function(arguments.function)
    except ValueError as error:
        parser.error(str(error))
    configure_logging(package, verbose=arguments.verbose)
    return ServerOptions(
        urls=arguments.urls,
        queue=arguments.queue,
        function=function,
        concurrency=arguments.concurrency,
        prefetch=arguments.prefetch or arguments.concurrency,
        heartbeat=arguments.heartbeat,
        queue_type=arguments.queue_type,
        queue_arguments=declared_arguments(arguments.queue_type),
        verbose=arguments.verbose,
        service=service,
    )


def run_client(package: str, client_class: type[RpcClient], argv: list[str] | None = None) -> int:
    """Be `python -m <package>.rpc_client`: ask for one fib(n), print the answer, return the exit code."""
    parser = _parser(
        f"{package}.rpc_client", "Ask a server for fib(n) and print the answer.", CLIENT_EXIT_CODES
    )
    parser.add_argument(
        "n", nargs="?", help="The number to ask for; read from standard input if absent."
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=DEFAULT_TIMEOUT,
        metavar="S",
        help="Seconds to wait for the answer. (default: %(default)s)",
    )
    parser.add_argument(
        "--fail-fast",
        action="store_true",
        help=f"Fail within {FAIL_FAST_WITHIN:g} s when no server consumes the queue.",
    )
    arguments = parser.parse_args(argv)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Ctrl-C ends it: Python swallows a KeyboardInterrupt that meets a finaliser or an import
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    configure_logging(package, verbose=arguments.verbose)
    options = {
        name: getattr(arguments, name) for name in ("queue", "fail_fast", "heartbeat", "queue_type")
    }
    try:
        n = read_n(parser, arguments.n)
        print(f" [x] Requesting fib({n})", flush=True)
        with client_class(";".join(arguments.urls), timeout=arguments.timeout, **options) as client:
            print(f" [.] Got {client.call(n)}", flush=True)
    except (RpcError, ValueError) as error:
        print(f"{parser.prog}: {explain(error)}", file=sys.stderr)
        return exit_code(error)
    return 0


def read_n(parser: argparse.ArgumentParser, text: str | None) -> int:
    """Return n from the command line, or else from standard input. Exits with 2 if it is no integer."""
    text = sys.stdin.readline() if text is None else text
    try:
        return int(text)
    except ValueError:
        parser.error(f"n must be an integer, not {text.strip()!r:.50}")


def explain(error: Exception) -> str:
    """Return one line that says what failed and what to do about it."""
    match error:
        case InvalidRequest():
            return f"the server refused the request: {error}"
        case RemoteError():
            return (
                f"the function failed in the server: {error} (its traceback is in the server's log)"
            )
        case RpcServerUnavailable():
            return f"{error}: start what is missing, or check --url (else $AMQP_URL) and --queue"
        case RpcTimeout():
            return (
                f"{error}: try again with a longer --timeout, look at the server's log, "
                "or check that the server is of the same layer"
            )
        case RpcAccessRefused():
            return (
                f"{error}: check user and password in --url (else $AMQP_URL), "
                "the user's permissions, and --queue-type"
            )
        case RpcConnectionLost():
            return f"{error}: the request may have run; try again if that does no harm"
    return str(error)


def exit_code(error: Exception) -> int:
    """Return the exit code that the manual (`--help`) promises for an error."""
    match error:
        case InvalidRequest() | RemoteError():
            return EXIT_ERROR_REPLY
        case RpcAccessRefused():
            return EXIT_REFUSED
        case RpcError():
            return EXIT_UNAVAILABLE
    return EXIT_USAGE


class StopSignals:
    """C17: SIGTERM and SIGINT, as a request to stop, while this context manager is entered.

    `wake` is called in the handler, which may run between any two steps of the main thread.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self.stop_requested = False
        self._wake = wake
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._selector = selectors.DefaultSelector()  # select() knows no descriptors over 1,023
        self._selector.register(self._reader, selectors.EVENT_READ)
        self._before: dict[int, Any] = {}
        self._waker: threading.Thread | None = None

    def __enter__(self) -> Self:
        numbers = [signal.SIGTERM, signal.SIGINT, getattr(signal, "SIGBREAK", None)]
        for number in filter(None, numbers):
            self._before[number] = signal.signal(number, self._on_signal)
        if hasattr(os, "register_at_fork"):
            # a process that the function forks is not the server: what ends it must not end this one
            os.register_at_fork(after_in_child=self._restore)
        else:
            self._wake_on_signals()
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()
        if self._waker is not None:
            signal.set_wakeup_fd(-1)
            with suppress(BlockingIOError):  # full: a signal has ended it
                self._writer.send(b".")
            self._waker.join()
        self._selector.close()
        self._reader.close()
        self._writer.close()

    def fileno(self) -> int:
        """A descriptor that becomes readable when a signal came, for an event loop to wait on."""
        return self._reader.fileno()

    def wait(self, seconds: float) -> bool:
        """Wait for so many seconds, and return whether a signal came, at any time."""
        if not self.stop_requested:
            self._selector.select(seconds)
        return self.stop_requested

    def _on_signal(self, *_: object) -> None:
        self.stop_requested = True
        with suppress(OSError):  # the server has just ended
            self._writer.send(b".")
        self._wake()

    def _wake_on_signals(self) -> None:
        """Have a thread call `wake` at a signal: on Windows that ends no wait, and the handler runs after it."""
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._waker = threading.Thread(target=self._wait_and_wake, name="rpc-signals", daemon=True)
        self._waker.start()

    def _wait_and_wake(self) -> None:
        self._reader.recv(1, socket.MSG_PEEK)  # left there, for `wait` and whoever watches `fileno`
        self._wake()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def print_ready() -> None:
    """Print the ready line. Whoever has read it before may have gone; that is no reason not to serve."""
    try:
        print(READY_LINE, flush=True)
    except OSError:  # of the pipe, which a layer would take for one of its connection
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def load_function(name: str) -> Callable[[Any], Any]:
    """Return the function that `MODULE:ATTR` names.

    Raises:
        ValueError: there is none. The message is one line.
    """
    module_name, _, attribute = name.partition(":")
    try:
        function = getattr(import_module(module_name), attribute)
    except Exception as error:  # whatever a module raises when it is imported
        raise ValueError(f"cannot load function {name!r} (MODULE:ATTR): {error!r}") from None
    if not callable(function):
        raise ValueError(f"{name!r} is not a function")
    return function  # type: ignore[no-any-return]


def configure_logging(package: str, *, verbose: bool) -> None:
    """Log to standard error: this project at INFO, or at DEBUG with every message that passes."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger().setLevel(logging.WARNING)
    for name in ("contract", "rpc_core", package, "__main__"):
        logging.getLogger(name).setLevel(logging.DEBUG if verbose else logging.INFO)
    # it logs a traceback for every failed attempt to connect; the servers log one line of their own
    logging.getLogger("pika").setLevel(logging.CRITICAL)


class _Parser(argparse.ArgumentParser):
    """One whose complaints are one line; argparse puts five lines of usage before them."""

    def error(self, message: str) -> NoReturn:
        line = " ".join(message.split())
        self.exit(EXIT_USAGE, f"{self.prog}: {line} (see --help)\n")


def _parser(program: str, description: str, epilog: str) -> argparse.ArgumentParser:
    parser = _Parser(prog=f"python -m {program}", description=description, epilog=epilog)
    parser.add_argument(
        "--url",
        dest="urls",
        type=_checked(broker_urls),
        default="",
        help="The broker, or several separated by ';' to try in turn, as "
        "amqp://user:password@host:port/vhost or amqps://... "
        "(default: $AMQP_URL, else amqp://guest:guest@localhost:5672/%%2F)",
    )
    parser.add_argument(
        "--queue",
        type=_checked(check_queue),
        default="rpc_queue",
        metavar="NAME",
        help="The request queue. (default: %(default)s)",
    )
    parser.add_argument(
        "--queue-type",
        choices=QUEUE_TYPES,
        help="The type that the request queue must have; quorum is replicated over a cluster. "
        f"(default: of the queue that exists, else {DEFAULT_QUEUE_TYPE})",
    )
    parser.add_argument(
        "--heartbeat",
        type=_positive,
        default=DEFAULT_HEARTBEAT,
        metavar="S",
        help="The heartbeat timeout in seconds: a silent connection counts as lost within 2.5 times as long "
        "plus 10 s. (default: %(default)s)",
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="Show every message as it passes."
    )
    return parser


def _checked(check: Callable[[str], T]) -> Callable[[str], T]:
    def convert(text: str) -> T:
        try:
            return check(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def _positive(text: str) -> int:
    # AMQP has 16 bits for a heartbeat and for a prefetch
    if not (text.isdecimal() and 0 < int(text) < 2**16):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to 65535, not {text!r}")
    return int(text)
