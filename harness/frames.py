"""See, and drop, the AMQP frames that pass a proxy."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pamqp.frame

from harness.proxy import Way

FRAME_OVERHEAD = 8  # bytes: type (1), channel (2), size (4), then the payload and its end mark (1)
PROTOCOL_HEADER = 8


class FrameFilter:
    """A `Proxy.filter` that cuts the bytes to the broker into frames, however they were sent.

    `wanted` is called with each method that a client sends, as pamqp decodes it, and tells whether
    it may pass. After the first one that may not, nothing passes to the broker on that connection.
    """

    def __init__(self, wanted: Callable[[Any], bool]) -> None:
        self._wanted = wanted
        self._rests: dict[object, bytes] = defaultdict(bytes)
        self._silenced: set[object] = set()

    def __call__(self, connection: object, way: Way, data: bytes) -> bytes:
        """Return the frames of `data` that may pass, whole ones only."""
        if way == "to_client":
            return data
        rest, passed = self._rests[connection] + data, b""
        while connection not in self._silenced and (size := _size(rest)) <= len(rest):
            frame, rest = rest[:size], rest[size:]
            if self._passes(frame):
                passed += frame
            else:
                self._silenced.add(connection)
        self._rests[connection] = rest
        return passed

    def _passes(self, frame: bytes) -> bool:
        if frame[0] != pamqp.constants.FRAME_METHOD:
            return True
        return self._wanted(pamqp.frame.unmarshal(frame)[2])


def _size(data: bytes) -> int:
    """Return how many bytes the first frame of `data` has, as far as can be told."""
    if len(data) < FRAME_OVERHEAD:
        return FRAME_OVERHEAD
    if data.startswith(b"AMQP"):
        return PROTOCOL_HEADER
    return FRAME_OVERHEAD + int.from_bytes(data[3:7])
