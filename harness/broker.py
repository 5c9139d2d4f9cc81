"""A RabbitMQ node of one's own: on free ports of this machine, in a temporary directory.

`with broker() as b:` gives one, or the broker at `$AMQP_URL` when that is set.
`python -m harness.broker` keeps one in the foreground.
"""

import argparse
import functools
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from glob import glob
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from harness import guardian
from harness.program import Program

# Packages put a wrapper into /usr/sbin, which changes the user, and the program itself elsewhere.
WRAPPERS = ["/usr/sbin", "/sbin"]
PLACES = [
    "/usr/lib/rabbitmq/bin",
    "/usr/lib/rabbitmq/lib/*/sbin",
    "/opt/rabbitmq*/sbin",
    "/opt/homebrew/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
    "/usr/lib/erlang/erts-*/bin",
    "/usr/local/lib/erlang/erts-*/bin",
]

# By default the threads that read files sleep between any two reads: a boot, which reads hundreds,
# took 6.5 s instead of 3.7. The threads that carry messages keep RabbitMQ's own settings.
ERLANG_FLAGS = "-kernel inet_dist_use_interface {127,0,0,1} +sbwtdio very_short"

UNIX = hasattr(os, "getsid")  # Windows has no sessions, by which a node's processes are found
ELSEWHERE = "set AMQP_URL to the address of a running broker (`docker compose up -d` starts one)"

CLAIMS = 20  # of the ports given out last; see `free_port`
claims: deque[socket.socket] = deque()


class BrokerNotInstalled(RuntimeError):
    """RabbitMQ or a part of it is not on this machine, or cannot be started by this program there."""

    def __init__(self, program: str) -> None:
        super().__init__(
            f"{program} not found: install RabbitMQ (apt-get install rabbitmq-server), "
            f"or {ELSEWHERE}"
            if UNIX
            else f"a private broker needs Unix: {ELSEWHERE}"
        )


class TlsFiles(NamedTuple):
    """The PEM files of a TLS listener: its certificate, the key, the authority's certificate."""

    cert: Path | str
    key: Path | str
    ca: Path | str


class Distribution:
    """What Erlang nodes need to find and to trust each other: an epmd, and a secret cookie."""

    def __init__(self) -> None:
        self.port = free_port()
        self.cookie = secrets.token_hex(16)
        # With -d -d (debug) it stays in the foreground and says when it listens. A node that finds
        # no epmd starts one as a daemon, which would outlive it.
        options = f"-d -d -address 127.0.0.1 -port {self.port}".split()
        self._epmd = Program([find_program("epmd"), *options], ready="entering the main select")

    def start(self) -> None:
        """Start epmd, unless it runs."""
        if not self._epmd.running:
            self._epmd.start()

    def stop(self) -> None:
        """Kill epmd. Idempotent."""
        self._epmd.kill()


class PrivateBroker:
    """A RabbitMQ node that listens on 127.0.0.1 only and leaves nothing behind.

    Entering the context starts it; leaving kills it and removes its data. In between it can be
    killed or stopped and started again, with the same data and on the same ports. Should this
    process die first, `harness.guardian` clears the node away.
    """

    controllable = True

    def __init__(
        self,
        *,
        tls: TlsFiles | None = None,
        config: Mapping[str, str] | None = None,
        plugins: Sequence[str] = (),
        distribution: Distribution | None = None,
        port: int | None = None,
        start_timeout: float = 60.0,
    ) -> None:
        """Prepare a node; nothing runs yet. Raises BrokerNotInstalled.

        Clients reach it at `port`, by default a free one.
        `tls` adds a TLS listener, which asks for no client certificate. `config` adds lines to
        rabbitmq.conf; `plugins` are enabled. Nodes that share a `distribution` can form a
        cluster; its owner stops it.
        `start_timeout` is in seconds.
        """
        self._server = find_program("rabbitmq-server")
        self._rabbitmqctl = find_program("rabbitmqctl")
        self._distribution = distribution or Distribution()
        self._owns_distribution = distribution is None
        self._dist_port = free_port()
        self.port = port or free_port()
        self.node = f"rabbit-{self.port}@localhost"
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"
        self.tls_url: str | None = None
        self.config = {
            "listeners.tcp.1": f"127.0.0.1:{self.port}",
            "disk_free_limit.absolute": "1MB",
            "log.file.level": "info",
        }
        if tls is not None:
            self._add_tls_listener(tls)
        self.config.update(config or {})
        self._plugins = plugins
        self._start_timeout = start_timeout
        self._directory: Path | None = None
        self._program: Program | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def directory(self) -> Path:
        """The directory of the node's data, log, configuration and cookie."""
        if self._directory is None:
            raise RuntimeError("the broker was not started")
        return self._directory

    @property
    def log(self) -> Path:
        """The node's log file."""
        return self.directory / "rabbit.log"

    @property
    def pid(self) -> int:
        """The process id of the Erlang VM."""
        if self._program is None:
            raise RuntimeError("the broker was not started")
        return self._program.pid

    def start(self) -> None:
        """Start the node and wait until it serves; RuntimeError, with its log's end, if not.

        A node that runs is left alone.
        """
        if self._program is not None and self._program.running:
            return
        self.kill()  # a node that died by itself may have left helpers
        if self._directory is None:
            self._directory = self._new_directory()
        self._distribution.start()
        self._program = Program(
            [self._server],
            ready=r"completed with \d+ plugins",
            start_timeout=self._start_timeout,
            env=self._environment(),
            cwd=self.directory,
        )
        try:
            self._program.start()
        except RuntimeError as error:
            log = self.log.read_text(errors="replace") if self.log.exists() else ""
            raise RuntimeError(f"{error}\n--- its log:\n{log[-4000:]}") from None

    def stop(self, timeout: float = 10.0) -> None:
        """Stop the node politely, after `timeout` seconds by force. Idempotent."""
        if self._program is not None and self._program.running:
            with suppress(TimeoutError):
                self._program.terminate(timeout)
            self._program.kill()

    def kill(self) -> None:
        """SIGKILL the node and wait until it has gone, and its ports are free. Idempotent."""
        if self._program is not None:
            self._program.kill()

    def close(self) -> None:
        """Kill the node and remove all it left. Idempotent."""
        self.kill()
        if self._owns_distribution:
            self._distribution.stop()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def wait(self) -> int:
        """Wait until the node ends of itself and return its exit code."""
        if self._program is None:
            raise RuntimeError("the broker was not started")
        return self._program.wait(timeout=None)

    def ctl(self, *args: str, timeout: float = 120.0) -> str:
        """Run rabbitmqctl and return what it wrote; RuntimeError, with that, when it fails."""
        return self._run(self._rabbitmqctl, "--node", self.node, *args, timeout=timeout)

    def evaluate(self, expression: str, timeout: float = 120.0) -> str:
        """Evaluate Erlang in the node and return the value as text; RuntimeError when that fails.

        Raises BrokerNotInstalled where Erlang came without its `erl_call`.

        For what is asked often: `rabbitmqctl eval` starts a VM of its own, which takes 0.5 s of
        processor time, and Erlang's own `erl_call` 3 ms.
        """
        # erl_call has 256 names for itself, and a node refuses one that has hardly gone
        me = secrets.token_hex(8)
        command = (find_program("erl_call"), "-h", me, "-sname", self.node, "-e")
        answer = self._run(*command, text=f"{expression}.\n", timeout=timeout)
        value = answer.strip().removesuffix("}")
        if not value.startswith("{ok, "):
            raise RuntimeError(f"{expression}: {answer}")
        return value.removeprefix("{ok, ")

    def _run(self, *command: str, timeout: float, text: str = "") -> str:
        done = subprocess.run(
            command,
            check=False,
            env=os.environ | self._environment(),
            input=text,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def stop_app(self) -> None:
        """Stop RabbitMQ but not its Erlang VM: ports close, data stay."""
        self.evaluate("rabbit:stop()")

    def start_app(self) -> None:
        """Undo `stop_app`, and wait until the node serves."""
        self.evaluate("rabbit:start(), ok = rabbit:await_startup(node(), false, 60_000)")

    def close_all_connections(self, reason: str = "closed by the harness") -> None:
        """Have the broker close every connection, with a connection.close that says `reason`."""
        close = f"rabbit_networking:close_connection(Connection, {binary(reason)})"
        gone = "exit:_ -> gone"  # it ended by itself in the meantime
        each = "Connection <- rabbit_networking:connections()"
        self.evaluate(f"[try {close} catch {gone} end || {each}]")

    def table(self, what: str, *columns: str) -> list[dict[str, Any]]:
        """Return what `rabbitmqctl list_<what>` lists, such as `table("queues", "name")`."""
        text = self.ctl(f"list_{what}", *columns, "--formatter=json", "--silent")
        rows: list[dict[str, Any]] = json.loads(text)
        return rows

    def queue_names(self) -> set[str]:
        """Return the names of all queues."""
        # in hexadecimal: other characters than ASCII's would come in Erlang's notation
        name = "binary_to_list(binary:encode_hex(Name))"
        each = "{resource, _, queue, Name} <- rabbit_amqqueue:list_names()"
        names = json.loads(self.evaluate(f"[{name} || {each}]"))
        return {bytes.fromhex(name).decode() for name in names}

    def counts(self) -> dict[str, int]:
        """Return how many queues, connections and channels there are."""
        expressions = {
            "queues": "length(rabbit_amqqueue:list())",
            "connections": "length(rabbit_networking:connections())",
            "channels": "length(rabbit_channel:list())",
        }
        # a tuple: Erlang would print a list of small numbers as text
        answer = self.evaluate(f"{{{', '.join(expressions.values())}}}")
        values = map(int, answer.strip("{}").split(","))
        return dict(zip(expressions, values, strict=True))

    def unacknowledged(self, queue: str) -> int:
        """Return how many messages of a queue are delivered and not acknowledged."""
        return int(self._info(queue, "messages_unacknowledged", "Value"))

    def members(self, queue: str) -> set[str]:
        """Return the names of the nodes that keep a quorum queue."""
        # as texts: a node's name may come with Erlang's quotes or without
        texts = "[atom_to_list(Node) || Node <- Value]"
        return set(json.loads(self._info(queue, "members", texts)))

    def _info(self, queue: str, item: str, shown: str) -> str:
        """Return what RabbitMQ knows of a queue under this name, `Value`, as this expression shows it."""
        info = f"[{{_, Value}}] = rabbit_amqqueue:info(Queue, [{item}])"
        return self.evaluate(f"{_lookup(queue)}, {info}, {shown}")

    def delete_queue(self, queue: str) -> None:
        """Delete a queue, another connection's exclusive one too, which AMQP does not allow."""
        self.evaluate(f"{_lookup(queue)}, rabbit_amqqueue:delete(Queue, false, false, <<>>)")

    def prefetch(self, queue: str) -> int:
        """Return how many requests the consumers of a queue may hold together."""
        rows = "Row <- rabbit_amqqueue:consumers_all(<<$/>>)"
        mine = f"element(4, proplists:get_value(queue_name, Row)) =:= {binary(queue)}"
        counts = f"[proplists:get_value(prefetch_count, Row) || {rows}, {mine}]"
        return int(self.evaluate(f"lists:sum({counts})"))

    @contextmanager
    def limit_connections(self, connections: int) -> Iterator[None]:
        """Let the virtual host have so many connections; it refuses further ones with 530."""
        limits = f'[{{<<"max-connections">>, {connections}}}]'
        self.evaluate(f"ok = rabbit_vhost_limit:set(<<$/>>, {limits}, <<>>)")
        try:
            yield
        finally:
            self.evaluate("ok = rabbit_vhost_limit:clear(<<$/>>, <<>>)")

    def _add_tls_listener(self, tls: TlsFiles) -> None:
        port = free_port()
        self.tls_url = f"amqps://guest:guest@localhost:{port}/%2F"
        self.config |= {
            "listeners.ssl.1": f"127.0.0.1:{port}",
            "ssl_options.certfile": str(tls.cert),
            "ssl_options.keyfile": str(tls.key),
            "ssl_options.cacertfile": str(tls.ca),
            "ssl_options.verify": "verify_none",
            "ssl_options.fail_if_no_peer_cert": "false",
        }

    def _new_directory(self) -> Path:
        directory = Path(tempfile.mkdtemp(prefix="rabbit-"))
        guardian.watch_directory(directory)
        lines = [f"{key} = {value}\n" for key, value in self.config.items()]
        (directory / "rabbitmq.conf").write_text("".join(lines))
        (directory / "enabled_plugins").write_text(f"[{','.join(self._plugins)}].\n")
        if not self._plugins:
            # A node looks through all plugins that RabbitMQ brings, a quarter of its start's processor
            # time, to enable none. The schema of its own configuration is among them, and is enough.
            for rabbit in _brought(self._server).glob("rabbit-*"):
                (directory / "plugins").mkdir(exist_ok=True)
                (directory / "plugins" / rabbit.name).symlink_to(rabbit)
        cookie = directory / ".erlang.cookie"
        cookie.write_text(self._distribution.cookie)
        cookie.chmod(0o400)
        return directory

    def _environment(self) -> dict[str, str]:
        here = self.directory
        plugins = here / "plugins"
        flags, faster = ERLANG_FLAGS, {}
        if plugins.exists():  # a node with none of RabbitMQ's plugins
            flags += f" -pa {_modules(self._server)}"
            faster = {"RABBITMQ_PLUGINS_DIR": str(plugins)}
        return faster | {
            "HOME": str(here),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._distribution.port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            # else whatever finds no epmd, its owner having just ended, starts one that outlives all
            "ERL_AFLAGS": "-start_epmd false",
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_CONF_ENV_FILE": str(here / "none"),
            "RABBITMQ_CONFIG_FILE": str(here / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(here / "none.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(here / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(here / "data"),
            "RABBITMQ_LOG_BASE": str(here),
            "RABBITMQ_LOGS": str(here / "rabbit.log"),
            "RABBITMQ_PID_FILE": str(here / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": flags,
            "RABBITMQ_CTL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CTL_DIST_PORT_MIN": "61000",  # above what free_port() gives out
            "RABBITMQ_CTL_DIST_PORT_MAX": "65535",
            # The script then becomes the Erlang VM, instead of staying as a shell around it.
            "RUNNING_UNDER_SYSTEMD": "true",
        }


class ExternalBroker:
    """The broker at `$AMQP_URL`, which nobody here may stop, kill or look into; but see `harness.management`."""

    controllable = False
    tls_url: str | None = None

    def __init__(self, url: str | None = None) -> None:
        """Take `url`, or `$AMQP_URL`."""
        self.url = url or os.environ["AMQP_URL"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the broker as it is."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{name}: only a private broker has it; unset AMQP_URL to get one")


def broker() -> PrivateBroker | ExternalBroker:
    """Return the broker at `$AMQP_URL` if that is set, else a private one, as context manager."""
    return ExternalBroker() if os.environ.get("AMQP_URL") else PrivateBroker()


def binary(text: str) -> str:
    """Return the text as an Erlang binary, whatever characters it has."""
    return f"<<{','.join(map(str, text.encode()))}>>"


def _lookup(queue: str) -> str:
    """Return what binds Erlang's `Queue` to a queue."""
    name = f"rabbit_misc:r(<<$/>>, queue, {binary(queue)})"
    return f"{{ok, Queue}} = rabbit_amqqueue:lookup({name})"


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now.

    It lies below the range from which systems give out ports for outgoing connections: else a
    client that keeps trying to reach a stopped broker could be given the broker's own port.
    Another call, in this process or another, gives out the same port only much later: a node
    takes seconds until it listens.
    """
    for port in random.SystemRandom().sample(range(10_000, 32_000), 1_000):
        # nobody listens for datagrams there: who holds that half of the port has claimed the other
        claim = socket.socket(type=socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", port))
            with socket.socket() as candidate:
                candidate.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        claims.append(claim)
        if len(claims) > CLAIMS:
            claims.popleft().close()
        return port
    raise RuntimeError("no free port found on 127.0.0.1")


def find_program(name: str) -> str:
    """Return the path of a program of RabbitMQ or Erlang; $PATH comes before packages.

    Raises BrokerNotInstalled.
    """
    if not UNIX:
        raise BrokerNotInstalled(name)
    path = [place for place in os.get_exec_path() if place.rstrip("/") not in WRAPPERS]
    path += [place for pattern in PLACES for place in sorted(glob(pattern))]
    if found := shutil.which(name, path=os.pathsep.join(path)):
        return found
    raise BrokerNotInstalled(name)


def _brought(server: str) -> Path:
    """Return the directory of the plugins that this server brings, RabbitMQ itself among them."""
    return Path(server).resolve().parent.parent / "plugins"


@functools.cache
def _modules(server: str) -> Path:
    """Return a directory with links to all Erlang modules that a node of this server may load.

    Erlang looks for each module in one directory after the other, a hundred of them: of 9,000
    looks 8,000 found nothing, and took a third of a start's processor time.
    """
    directory = Path(tempfile.mkdtemp(prefix="rabbit-modules-"))
    guardian.watch_directory(directory)
    places = [_brought(server)]
    with suppress(BrokerNotInstalled):
        places.append(Path(find_program("erl")).resolve().parent.parent / "lib")
    for place in places:
        for module in place.glob("*/ebin/*.beam"):
            with suppress(FileExistsError):
                (directory / module.name).symlink_to(module)
    return directory


def main() -> int:
    """Run a broker in the foreground until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.broker",
        description="Run a RabbitMQ of your own, on this machine only, with data in a temporary directory, "
        "until Ctrl-C. It prints its address.",
    )
    parser.add_argument(
        "--port",
        type=int,
        help="The port for clients; on 5672 they need no AMQP_URL to find it. (default: a free one)",
    )
    port = parser.parse_args().port
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if port is not None:
            socket.create_server(
                ("127.0.0.1", port)
            ).close()  # RabbitMQ would take seconds to complain
        with PrivateBroker(port=port) as private:
            print(f"AMQP_URL={private.url}")
            print("export that line in another terminal; Ctrl-C here ends the broker", flush=True)
            return private.wait()
    except (BrokerNotInstalled, OSError, OverflowError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
