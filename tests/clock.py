"""A clock that stands still, for tests of the machinery: a promised time is then exact."""

from types import SimpleNamespace
from typing import Any

import pytest


class Clock:
    """What `time.monotonic` says, until a test moves it on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """See `time.monotonic`."""
        return self.now

    def stop(self, patched: pytest.MonkeyPatch, *modules: Any) -> "Clock":
        """Have these modules go by this clock."""
        for module in modules:
            patched.setattr(module, "time", SimpleNamespace(monotonic=self.monotonic))
        return self
