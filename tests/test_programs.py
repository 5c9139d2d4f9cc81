"""The programs that the contract fixes: each `rpc_client` and `rpc_server`, and `pytest --backend`."""

import os
import re
import signal
import sys
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from conftest import OpenBroker, Serve
from contract.fibonacci import fib
from harness.implementations import client_class
from harness.program import PROJECT_ROOT, Program
from harness.server import ServerProcess
from rpc_core.programs import (
    EXIT_ERROR_REPLY,
    EXIT_REFUSED,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
    parse_server_options,
)
from tests.running import LOG_LINE, NOWHERE, run, run_pytest
from tests.systems import needs_signals


def complaint(done: CompletedProcess[str], module: str) -> str:
    """Return the one line that says what was wrong; beside it there may only be the log."""
    lines = [line for line in done.stderr.splitlines() if not LOG_LINE.match(line)]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith(f"python -m {module}: ")
    return str(lines[0])


# -- the client ------------------------------------------------------------------------------------


def test_client_program(backend: str, serve: Serve, url: str, queue: str) -> None:
    """Names: the client prints the tutorial's lines, for n as argument or on standard input."""
    serve()
    address = ("--url", url, "--queue", queue)
    for arguments, stdin in (("30",), ""), ((), "30\n"), ((), " 30"):
        done = run(f"{backend}.rpc_client", *address, *arguments, stdin=stdin)
        assert done.stdout == " [x] Requesting fib(30)\n [.] Got 832040\n"
        assert done.stderr == ""
        assert done.returncode == 0
    done = run(f"{backend}.rpc_client", *address, "10000")
    assert done.stdout == f" [x] Requesting fib(10000)\n [.] Got {fib(10_000)}\n"


def test_addresses(backend: str, open_broker: OpenBroker, channel: Any) -> None:
    """Names: $AMQP_URL is the address without --url; a dead broker before the `;` is passed over."""
    url = f"{NOWHERE};{open_broker.url}"
    try:
        with ServerProcess(backend, env={"AMQP_URL": url}) as server:
            done = run(f"{backend}.rpc_client", "30", AMQP_URL=url)
            assert (done.stdout[-16:], done.returncode) == (" [.] Got 832040\n", 0)
            done = run(f"{backend}.rpc_client", "30", "--url", url, AMQP_URL=NOWHERE)
            assert (done.stdout[-16:], done.returncode) == (" [.] Got 832040\n", 0)
            assert server.running
    finally:
        channel.queue_delete("rpc_queue")


def test_address_of_the_class(
    backend: str, serve: Serve, url: str, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names: the class, too, takes $AMQP_URL when it is given no address."""
    serve(url=f"{NOWHERE};{url}")
    monkeypatch.setenv("AMQP_URL", f"{NOWHERE} ; {url}")
    with client_class(backend)(queue=queue) as client:
        assert client.call(10, timeout=30) == 55


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--timeout", "0.7", "30"], EXIT_UNAVAILABLE, "no server consumes the request queue"),
        (["--fail-fast", "--timeout", "50", "30"], EXIT_UNAVAILABLE, "no server consumes"),
        (["--url", NOWHERE, "--timeout", "0.7", "30"], EXIT_UNAVAILABLE, "broker"),
        (["--url", "http://u:geheim@h/", "30"], EXIT_USAGE, "not a broker address"),
        (["--url", "amqp://u:ge/heim@h/", "30"], EXIT_USAGE, "percent-encoded"),
        (["--url", f"{NOWHERE};", "30"], EXIT_USAGE, "not a broker address"),
        (["thirty"], EXIT_USAGE, "must be an integer, not 'thirty'"),
        ([], EXIT_USAGE, "must be an integer"),  # nothing on standard input
        (["--timeout", "nan", "30"], EXIT_USAGE, "timeout"),
        (["--queue-type", "stream", "30"], EXIT_USAGE, "--queue-type"),
        (["--no-such-option", "30"], EXIT_USAGE, "--no-such-option"),
    ],
    ids=lambda value: re.sub(r"\W+", "-", " ".join(value)) if isinstance(value, list) else "",
)
def test_client_program_complains(
    backend: str, url: str, queue: str, arguments: list[str], code: int, says: str
) -> None:
    """Names: what goes wrong in the client program is said in one line, and by its exit code."""
    module = f"{backend}.rpc_client"
    for _ in range(
        5
    ):  # on a busy machine a short timeout may be over before it is known who serves
        done = run(module, "--queue", queue, *arguments, AMQP_URL=url)
        if says in done.stderr:
            break
    assert done.returncode == code, done.stderr
    assert says in complaint(done, module)
    assert "geheim" not in done.stderr
    assert "heim@" not in done.stderr


@pytest.mark.parametrize(
    ("function", "n", "says"),
    [
        ("harness.functions:raises", "7", "ValueError: boom 7"),
        ("contract.fibonacci:fib", "-1", "negative"),
        ("contract.fibonacci:fib", "10001", "between 0 and 10000"),
    ],
    ids=["raises", "negative", "too-large"],
)
def test_client_program_shows_the_servers_error(
    backend: str, serve: Serve, url: str, queue: str, function: str, n: str, says: str
) -> None:
    """C10: the server's error is one line of the client program, and exit code 1."""
    serve(function=function)
    module = f"{backend}.rpc_client"
    done = run(module, "--url", url, "--queue", queue, n)
    assert done.returncode == EXIT_ERROR_REPLY
    assert says in complaint(done, module)
    assert done.stdout == f" [x] Requesting fib({n})\n"


@needs_signals
def test_client_program_interrupted(backend: str, url: str, queue: str) -> None:
    """C7: Ctrl-C ends the waiting client program at once, and with no traceback."""
    command = [sys.executable, "-m", f"{backend}.rpc_client", "--url", url, "--queue", queue]
    with Program([*command, "--timeout", "50", "30"], ready="Requesting") as program:
        assert program.interrupt(20) == -signal.SIGINT
        assert "Traceback" not in program.output


def test_verbose(backend: str, serve: Serve, url: str, queue: str) -> None:
    """Names: -v shows every message as it passes, on both sides; without it none is shown."""
    server = serve(extra_args=["-v"])
    arguments = ("--url", url, "--queue", queue, "30")
    done = run(f"{backend}.rpc_client", "-v", *arguments)
    assert re.search(r"-> request (\S+): .*30(.|\n)*<- reply \1: .*832040", done.stderr)
    assert done.stdout.endswith(" [.] Got 832040\n")
    server.wait_for_output(r"<- request (\S+): .*30(.|\n)*-> reply \1: .*832040")
    server.terminate()
    quiet = serve()
    assert run(f"{backend}.rpc_client", *arguments).stderr == ""
    quiet.terminate()
    assert "832040" not in quiet.output


COMMON_OPTIONS = {"--url", "--queue", "--queue-type", "--heartbeat", "--verbose", "--help"}
OPTIONS = {
    "rpc_client": COMMON_OPTIONS | {"--timeout", "--fail-fast"},
    "rpc_server": COMMON_OPTIONS | {"--function", "--concurrency", "--prefetch"},
}
EXIT_CODES = {"rpc_client": ["0", "1", "2", "69", "77"], "rpc_server": ["0", "2", "77"]}


@pytest.mark.parametrize("program", OPTIONS)
def test_help(backend: str, program: str) -> None:
    """Names: --help has every option, in full sentences, with its default, and the exit codes."""
    done = run(f"{backend}.{program}", "--help", COLUMNS="1000")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: python -m {backend}.{program} ")
    entry = re.compile(r"^ +(?:-\w, )?(--[\w-]+)(?: \S+)?(?: *\n)? {2,}(.*)$", re.MULTILINE)
    options = entry.findall(done.stdout)
    assert dict(options).keys() == OPTIONS[program]
    for option, text in options:
        if option != "--help":  # argparse's own
            assert re.fullmatch(r"[A-Z].*\.( \(default: .*\))?", text), option
    codes = re.findall(r"[:;] (\d+) \w+", done.stdout[done.stdout.index("exit codes") :])
    assert codes == EXIT_CODES[program]


# -- the server ------------------------------------------------------------------------------------

USAGE_ERRORS = [
    (["--function", "no.such.module:fib"], "no.such.module"),
    (["--function", "contract.fibonacci:nothing"], "nothing"),
    (["--function", "contract.fibonacci"], "MODULE:ATTR"),
    (["--function", "contract.fibonacci:MAX_N"], "not a function"),
    (["--function", "this.is\nnot:one line"], "MODULE:ATTR"),
    (["--function", "antigravity_" * 50 + ":x"], "MODULE:ATTR"),
    (["--concurrency", "0"], "--concurrency"),
    (["--concurrency", "-1"], "--concurrency"),
    (["--prefetch", "x"], "--prefetch"),
    (["--prefetch", "²"], "--prefetch"),
    (["--prefetch", "65536"], "--prefetch"),
    (["--heartbeat", "1.5"], "--heartbeat"),
    (["--heartbeat", "0"], "--heartbeat"),
    (["--heartbeat", "65536"], "--heartbeat"),
    (["--queue", ""], "--queue"),
    (["--queue", "ä" * 128], "--queue"),
    (["--queue", "\udcff"], "--queue"),
    (["--queue-type", "stream"], "--queue-type"),
    (["--url", "amqp://"], "--url"),
    (["--url", "amqp://u:geheim@h:x/"], "--url"),
    (["--url", "u:geheim@h"], "--url"),
    (["--url", "amqp://u:geheim"], "--url"),
    (["--url", "amqp://u:ge;heim@h/"], "number 1 of 2"),
    (["--url", "amqp://h/;amqp://u:1;geheim@h/"], "number 3 of 3"),
    (["one", "argument"], "one argument"),
]


def test_server_program_complains(backend: str) -> None:
    """Names: a server that was started wrongly says so in one line and exits with 2."""
    module = f"{backend}.rpc_server"
    for arguments, says in USAGE_ERRORS[0], USAGE_ERRORS[-2]:
        done = run(module, *arguments)
        assert done.returncode == EXIT_USAGE
        assert says in complaint(done, module)
        assert "geheim" not in done.stderr
        assert done.stdout == ""


@pytest.mark.parametrize(("arguments", "says"), USAGE_ERRORS, ids=range(len(USAGE_ERRORS)))
def test_usage_errors(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Names: the arguments of a server are checked before anything is started."""
    with pytest.raises(SystemExit) as ended:
        parse_server_options("some_package", arguments)
    assert ended.value.code == EXIT_USAGE
    [line] = capsys.readouterr().err.splitlines()
    assert says in line
    assert "geheim" not in line


@pytest.mark.parametrize(
    "options",
    [
        {"heartbeat": 0},
        {"heartbeat": 2**16},
        {"heartbeat": 0.5},
        {"queue": ""},
        {"queue": "x" * 256},
    ],
    ids=str,
)
def test_client_complains(backend: str, options: dict[str, Any]) -> None:
    """Names: a client is not made with what no broker could agree to."""
    with pytest.raises(ValueError, match=next(iter(options))):
        client_class(backend)(NOWHERE, **options)


def test_environment_of_another_application(
    backend: str, url: str, queue: str, tmp_path: Path
) -> None:
    """Names: nothing but AMQP_URL is read from the environment, whatever Celery reads there elsewhere."""
    (tmp_path / "celeryconfig.py").write_text("task_protocol = 1\n")
    path = [str(PROJECT_ROOT), str(tmp_path), os.environ.get("PYTHONPATH", "")]
    env = {
        "CELERY_BROKER_URL": "memory://",
        "CELERY_BROKER_READ_URL": "memory://",
        "CELERY_BROKER_WRITE_URL": "memory://",
        "CELERY_RESULT_BACKEND": "no.such.module:Backend",
        "CELERY_CONFIG_MODULE": "celeryconfig",
        "CELERY_LOADER": "default",
        "DJANGO_SETTINGS_MODULE": "no.such.settings",
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "AMQP_URL": url,
    }
    with ServerProcess(backend, queue=queue, env=env):
        done = run(f"{backend}.rpc_client", "--queue", queue, "30", **env)
    assert done.stdout.endswith(" [.] Got 832040\n"), done.stderr
    assert done.stderr == ""


def test_server_waits_for_a_broker(backend: str) -> None:
    """C18: a server may be started before its broker; it goes on trying, and can be stopped."""
    command = [sys.executable, "-m", f"{backend}.rpc_server", "--url", NOWHERE]
    with Program(command, ready=r"(next attempt in(.|\n)*){2}") as server:
        assert server.terminate(20) == 0
        assert "Traceback" not in server.output


def test_server_refused(backend: str, url: str, queue: str, channel: Any) -> None:
    """C18: a server that the broker refuses does not try again: one line, and exit code 77."""
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "stream"})  # no queue
    done = run(f"{backend}.rpc_server", "--url", url, "--queue", queue)
    assert done.returncode == EXIT_REFUSED, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "refused" in done.stderr
    assert done.stdout == ""


# -- pytest --backend ------------------------------------------------------------------------------

THROW_AWAY = {
    "__init__.py": 'UNSUPPORTED = {"nothing": "a gap that no test needs"}\n',
    "rpc_client.py": "from raw_pika.rpc_client import FibonacciRpcClient as FibonacciRpcClient\n",
    "rpc_server.py": 'import runpy\nrunpy.run_module("raw_pika.rpc_server", run_name="__main__")\n',
}


def test_any_package_can_be_a_backend(tmp_path: Path, url: str) -> None:
    """Names: a fourth implementation is put through the suite by its name, with no edit here."""
    package = tmp_path / "throw_away"
    package.mkdir()
    for name, text in THROW_AWAY.items():
        (package / name).write_text(text)
    tests = f"{PROJECT_ROOT}/tests/test_calls.py"
    chosen = ["-k", "exact or one_callback", "-v", tests]
    path = os.pathsep.join([str(PROJECT_ROOT), str(tmp_path)])
    code, output = run_pytest("--backend", "throw_away", *chosen, PYTHONPATH=path, AMQP_URL=url)
    assert code == 0, output
    assert "test_results_are_exact[throw_away] PASSED" in output
    assert "raw_pika]" not in output


@pytest.mark.parametrize("name", ["no_such_package", "contract", "no.such.package", ""])
def test_unknown_backend(name: str) -> None:
    """Names: an unknown --backend is a usage error that names those there are."""
    code, output = run_pytest("--backend", name, "--collect-only", "-q")
    assert code == pytest.ExitCode.USAGE_ERROR
    said = "no module '.*raw_pika, kombu_impl, celery_impl"
    assert re.search(rf"^ERROR: --backend: {said}", output, re.MULTILINE)
