"""A child process whose output can be waited for, and which ends when its owner does."""

import functools
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from harness import guardian

PROJECT_ROOT = Path(__file__).resolve().parent.parent


class Program:
    """Run a command as a context manager: started at entry, killed at exit.

    It runs in a session of its own, so that Ctrl-C in the terminal reaches its owner only, and so
    that its children can be found after its death. It does not outlive its owner, whatever kills
    that (see `harness.guardian`). The project can be imported in it.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        ready: str | None = None,
        start_timeout: float = 60.0,
        env: Mapping[str, str] | None = None,
        cwd: Path | str | None = None,
    ) -> None:
        """Prepare `command`; entering the context starts it and waits for its ready line.

        `ready` is a regular expression to wait for in the output, `start_timeout` the seconds to
        wait. `env` is laid over this process's environment.
        """
        self.command = [str(word) for word in command]
        self._ready = ready
        self._start_timeout = start_timeout
        self._env = dict(env or {})
        self._cwd = cwd
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start the program and wait for its ready line.

        Raises RuntimeError, with the output so far, when the line does not come.
        """
        if self.running:
            raise RuntimeError(self._complaint("runs already"))
        if self._reader is not None:  # it would call the new process's output ended
            self._reader.join(timeout=5)
        self._lines, self._ended = [], False
        self._process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=self._environment(),
            cwd=self._cwd,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # Windows
        )
        try:
            guardian.watch_process(self._process.pid)
            self._reader = threading.Thread(target=self._read, args=[self._process], daemon=True)
            self._reader.start()
            if self._ready is not None:
                self.wait_for_output(self._ready, self._start_timeout)
        except TimeoutError as error:
            self.kill()
            raise RuntimeError(str(error)) from None
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """The process id of the program itself, not of a shell around it."""
        return self._started().pid

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while the program runs."""
        return self._started().poll()

    @property
    def running(self) -> bool:
        """Whether the program was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def output(self) -> str:
        """What it wrote so far to standard output and standard error."""
        with self._changed:
            return "".join(self._lines)

    def wait_for_output(self, pattern: str, timeout: float = 10.0) -> re.Match[str]:
        """Wait until the output, from its very beginning, has a match of `pattern` (multi-line).

        Raises TimeoutError after `timeout` seconds, RuntimeError when the program ends without
        it; both carry the output.
        """
        search = re.compile(pattern, re.MULTILINE).search
        deadline = time.monotonic() + timeout
        with self._changed:
            while not (match := search("".join(self._lines))):
                if self._ended:
                    raise RuntimeError(self._complaint(f"ended without {pattern!r}"))
                if not self._changed.wait(deadline - time.monotonic()):
                    raise TimeoutError(self._complaint(f"no {pattern!r} after {timeout:g} s"))
            return match

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the program itself, not to its children; return at once."""
        if number in (signal.SIGINT, signal.SIGTERM):  # Windows has one way to ask a program to end
            number = getattr(signal, "CTRL_BREAK_EVENT", number)
        self._started().send_signal(number)

    def terminate(self, timeout: float = 15.0) -> int:
        """Send SIGTERM and return the exit code; TimeoutError after `timeout` seconds."""
        self.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def interrupt(self, timeout: float = 15.0) -> int:
        """Send SIGINT and return the exit code; TimeoutError after `timeout` seconds."""
        self.send_signal(signal.SIGINT)
        return self.wait(timeout)

    def wait(self, timeout: float | None = 15.0) -> int:
        """Wait for the end and return the exit code; TimeoutError after `timeout` seconds."""
        try:
            returncode = self._started().wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(self._complaint(f"still running after {timeout:g} s")) from None
        if self._reader is not None:  # `output` has all of it then, unless a child goes on writing
            self._reader.join(timeout=5)
        return returncode

    def kill(self) -> None:
        """SIGKILL the program and its children, and wait until they have gone. Idempotent."""
        if self._process is None:
            return
        # An id that is in use after the program's end is another process's by now.
        if self.running or not psutil.pid_exists(self._process.pid):
            guardian.kill_family(self._process.pid)
        self._process.wait()
        guardian.forget_process(self._process.pid)

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError(f"not started: {' '.join(self.command)}")
        return self._process

    def _environment(self) -> dict[str, str]:
        path = [str(PROJECT_ROOT), os.environ.get("PYTHONPATH", "")]
        ours = {"PYTHONPATH": os.pathsep.join(filter(None, path)), "TMPDIR": _scratch()}
        return os.environ | ours | self._env

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                with self._changed:
                    self._lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _complaint(self, problem: str) -> str:
        return f"{' '.join(self.command)}: {problem}\n--- its output:\n{self.output}"


@functools.cache
def _scratch() -> str:
    """Return a directory for what a killed program leaves behind, as Celery's pool of processes does."""
    directory = tempfile.mkdtemp(prefix="fibonacci-rpc-")
    guardian.watch_directory(Path(directory))
    return directory
