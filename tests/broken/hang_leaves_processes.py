"""C8: client and server start processes, and leave them behind."""

import subprocess
import sys
from typing import Any

from tests.broken import _base

__path__ = _base.PARTS

BREAKS = {"C8"}
LEFT = "import signal; signal.pause()  # left behind by a broken implementation"


def leave() -> None:
    subprocess.Popen([sys.executable, "-c", LEFT]).returncode = 0  # it is never waited for


class Client(_base.Client):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        leave()


class Server(_base.Server):
    def run(self) -> int:
        leave()
        return super().run()
