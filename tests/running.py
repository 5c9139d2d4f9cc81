"""Run one of the project's programs to its end."""

import os
import re
import subprocess
import sys
from pathlib import Path

from harness import guardian
from harness.program import PROJECT_ROOT

NOWHERE = "amqp://guest:guest@127.0.0.1:1/%2F"  # a port that nobody listens on
WITHIN = 45.0  # seconds
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ [A-Z]+ ")


def run(
    module: str, *arguments: str, stdin: str = "", **env: str
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m <module>` and return it, with what it wrote to each stream."""
    # Its children end with it: one of them that held its output would keep us waiting, and outlive the test.
    path = os.pathsep.join(filter(None, [str(PROJECT_ROOT), os.environ.get("PYTHONPATH")]))
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=os.environ | {"PYTHONPATH": path} | env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        guardian.watch_process(process.pid)
        try:
            output, errors = process.communicate(stdin, timeout=WITHIN)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"python -m {module} has not ended, and let go of its output, within {WITHIN:g} s"
            ) from None
        finally:
            guardian.kill_family(process.pid)
            process.wait()
            guardian.forget_process(process.pid)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def run_pytest(
    *arguments: str, cwd: Path = PROJECT_ROOT, timeout: float = 90.0, **env: str
) -> tuple[int, str]:
    """Run a pytest of its own on this project's suite, from any folder; return its exit code and its output."""
    pytest = [
        sys.executable,
        "-P",
        "-m",
        "pytest",
    ]  # -P: as the command `pytest`, look nowhere else
    options = ["-c", str(PROJECT_ROOT / "pyproject.toml"), "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*pytest, *options, *arguments],
        cwd=cwd,
        env={name: each for name, each in os.environ.items() if "XDIST" not in name}
        | {"COLUMNS": "400"}
        | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    print(done.stdout)
    return done.returncode, done.stdout
