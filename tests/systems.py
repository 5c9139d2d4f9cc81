"""What a test needs of the operating system, and Windows or macOS lack: it is skipped there, with a word."""

import os
import shutil
import signal

import pytest

try:
    import resource
except ImportError:
    resource = None  # type: ignore[assignment]

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
needs_signals = pytest.mark.skipif(
    not hasattr(signal, "pthread_kill"), reason="needs signals as Unix has them"
)
needs_shell = pytest.mark.skipif(not shutil.which("sh"), reason="needs a shell of Unix")
needs_limits = pytest.mark.skipif(resource is None, reason="needs the limits of Unix")
needs_limits_of_others = pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason="needs prlimit(), to limit another process"
)
