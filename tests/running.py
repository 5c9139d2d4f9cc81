"""Run one of the project's programs to its end."""

import os
import re
import subprocess
import sys

from harness.program import PROJECT_ROOT

NOWHERE = "amqp://guest:guest@127.0.0.1:1/%2F"  # a port that nobody listens on
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ [A-Z]+ ")


def run(
    module: str, *arguments: str, stdin: str = "", **env: str
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m <module>` and return it, with what it wrote to each stream."""
    path = os.pathsep.join(filter(None, [str(PROJECT_ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        input=stdin,
        env=os.environ | {"PYTHONPATH": path} | env,
        capture_output=True,
        text=True,
        timeout=45,
        check=False,
    )
