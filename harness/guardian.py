"""A small process that outlives this one for a moment, to clear away what it leaves behind.

It reads a pipe that only this process can write to. However this process ends, SIGKILL included,
the pipe ends with it; the guardian then kills the processes it was told of and removes the
directories. This file runs as a program too, and therefore imports nothing of the project.
"""

import functools
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import psutil

T = TypeVar("T")

_one_at_a_time = threading.Lock()


def family(leader: int) -> set[psutil.Process]:
    """Return the live processes of the session that `leader` started, and their descendants.

    The session finds the children of a leader that is dead already; the descent finds those that
    left the session, as the helpers of an Erlang VM do. Their guardians are left out: whoever
    kills a family needs them to clear away what it leaves.
    """
    # By its number, first: to look at each process of the machine took half of the time of a server's end.
    pids = [pid for pid in psutil.pids() if _session(pid) == leader]
    found = {_quietly(functools.partial(psutil.Process, pid)) for pid in pids}
    members = {p for p in found if p is not None and not _is_zombie(p)}
    for member in tuple(members):
        children = _quietly(functools.partial(member.children, recursive=True)) or []
        members.update(p for p in children if not _is_zombie(p))
    return {p for p in members if __file__ not in (_quietly(p.cmdline) or [])}


def kill_family(leader: int) -> None:
    """SIGKILL the family of `leader` and wait until it has gone.

    A child of the calling process is left to its owner to reap.
    """
    doomed = family(leader)
    while doomed:
        for process in doomed:
            _quietly(process.kill)
        others = [p for p in doomed if _quietly(p.ppid) != os.getpid()]
        psutil.wait_procs(others, timeout=0.1)  # short: it would wait for zombies as well
        # Once more: one of them may have forked while it was being killed.
        doomed = {p for p in doomed if p.is_running() and not _is_zombie(p)} | family(leader)


def watch_process(leader: int) -> None:
    """Have the family of `leader`, which began its own session, killed when this process ends."""
    _tell(f"process {leader}")


def forget_process(leader: int) -> None:
    """Undo `watch_process`: the family has gone, and its id may be given to another process."""
    with suppress(BrokenPipeError):  # the guardian was killed: then it remembers nothing anyway
        _tell(f"gone {leader}")


def watch_directory(path: Path) -> None:
    """Have a directory removed when this process ends."""
    _tell(f"directory {path}")


def _tell(line: str) -> None:
    with _one_at_a_time:
        os.write(_guardian(), f"{line}\n".encode())


@functools.cache
def _guardian() -> int:
    """Start the guardian and return the end of the pipe to write to, which nobody else inherits."""
    reader, writer = os.pipe()
    guardian = subprocess.Popen(
        [sys.executable, "-P", __file__],
        stdin=reader,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},  # it needs psutil too
        start_new_session=True,  # else Ctrl-C in a terminal would kill the guardian as well
    )
    os.close(reader)
    guardian.returncode = 0  # it is never waited for; this spares a warning about that
    # A process that has just begun a program has no command line for a moment, which `family` knows it by.
    with suppress(psutil.NoSuchProcess):
        while not psutil.Process(guardian.pid).cmdline():
            time.sleep(0.001)
    return writer


def _session(pid: int) -> int | None:
    if not hasattr(os, "getsid"):
        return pid  # Windows: the leader alone, and those that descend from it
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def _is_zombie(process: psutil.Process) -> bool:
    return _quietly(process.status) in (None, psutil.STATUS_ZOMBIE)


def _quietly(method: Callable[[], T]) -> T | None:
    """Call a method of a process; None when that process has gone."""
    try:
        return method()
    except psutil.NoSuchProcess:
        return None


def main() -> None:
    """Take notes until the pipe ends, then clear away what is on them."""
    leaders: set[int] = set()
    directories: set[str] = set()
    for line in sys.stdin:
        what, name = line.rstrip("\n").split(" ", 1)
        if what == "process":
            leaders.add(int(name))
        elif what == "gone":
            leaders.discard(int(name))
        else:
            directories.add(name)
    for leader in leaders:
        kill_family(leader)
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
