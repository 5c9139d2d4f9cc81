"""An RPC server in a process of its own, started as a user would start it."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.program import Program

READY = r"^ \[x\] Awaiting RPC requests"
READY_WITHIN = 30.0
"""Seconds that a server has for its ready line."""


class ServerProcess(Program):
    """Run `python -m <package>.rpc_server` until the end of the `with` block.

    Entering waits `READY_WITHIN` for the ready line; RuntimeError, with what the server wrote,
    when it does not come. Leaving kills what is left of the server; `terminate` stops it politely.
    """

    def __init__(
        self,
        package: str,
        url: str | None = None,
        *,
        queue: str | None = None,
        function: str | None = None,
        concurrency: int | None = None,
        prefetch: int | None = None,
        heartbeat: int | None = None,
        queue_type: str | None = None,
        extra_args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        cwd: Path | str | None = None,
    ) -> None:
        """Prepare the server of `package`; an argument that is None is not passed on.

        `heartbeat` is in seconds. `env` is laid over this process's environment.
        """
        options = {
            "--url": url,
            "--queue": queue,
            "--function": function,
            "--concurrency": concurrency,
            "--prefetch": prefetch,
            "--heartbeat": heartbeat,
            "--queue-type": queue_type,
        }
        command = [sys.executable, "-m", f"{package}.rpc_server"]
        for option, value in options.items():
            if value is not None:
                command += [option, str(value)]
        super().__init__(
            [*command, *extra_args], ready=READY, start_timeout=READY_WITHIN, env=env, cwd=cwd
        )
