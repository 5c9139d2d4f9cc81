"""Takes away what Windows lacks, from each Python program that has this folder on its $PYTHONPATH.

Not all of it: Python's own libraries for this system need the rest, and so does psutil.
"""

import os
import platform
import signal
import sys

import psutil  # noqa: F401  # while it finds what it needs here

NAMES = {
    os: "fork forkpty register_at_fork getsid setsid getloadavg sched_getaffinity killpg mkfifo",
    signal: "SIGALRM SIGUSR1 SIGUSR2 SIGSTOP SIGCONT alarm setitimer pthread_kill pthread_sigmask sigwait",
}

for module, names in NAMES.items():
    exit_codes = [name for name in dir(module) if name.startswith("EX_")]
    for name in [*names.split(), *exit_codes]:
        if hasattr(module, name):
            delattr(module, name)
for missing in ("resource", "pwd", "grp", "termios"):
    sys.modules[missing] = None  # type: ignore[assignment]  # so that importing it fails
platform.system = lambda: "Windows"
