"""C4, C9, C11, C13: what pika must be told so that a hostile message, Ctrl-C or a fork does no harm.

Who only reads how pika is used can skip this: `EventLoop` is pika's loop, `TolerantConnection` its connection.
Both are this program's own; pika stays as it is for others in the process.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import pika
from pika import frame, spec
from pika.adapters.select_connection import IOLoop

from rpc_core.limits import SEND_TOGETHER
from rpc_core.properties import strip_undecodable_properties

HEADER_SIZE = spec.FRAME_HEADER_SIZE  # bytes: a frame's type, channel and size
PROPERTIES_AT = HEADER_SIZE + 12  # in a content header: after class, weight and the body's size


class EventLoop(IOLoop):
    """pika's event loop, which can be run once, and tells whether it waits or handles something."""

    def __init__(self) -> None:
        super().__init__()
        self.is_waiting = False
        self._descriptors: set[int] = set()
        # pika's is a Lock: a signal's handler that wakes the loop would wait for the code that it interrupts
        self._poller._waking_mutex = threading.RLock()  # type: ignore[attr-defined]  # the stub lacks it
        self.activate_poller()

    def run_once(self, *, wait: bool = True) -> None:
        """Wait until something arrives or is due, and handle it; without `wait`, handle what there is."""
        if not wait:
            self.call_later(0, lambda: None)  # so that poll() does not wait
        self.is_waiting = True
        self.poll()
        self.is_waiting = False
        self.process_timeouts()

    def add_handler(self, fd: int, handler: Callable[[int, int], None], events: int) -> None:
        """Watch a descriptor; what is handled is noted before pika handles it."""

        def handle(fd: int, events: int) -> None:
            self.is_waiting = False
            handler(fd, events)

        super().add_handler(fd, handle, events)
        self._descriptors.add(fd)

    def remove_handler(self, fd: int) -> None:
        """Watch a descriptor no longer."""
        super().remove_handler(fd)
        self._descriptors.discard(fd)

    def descriptors(self) -> Iterable[int]:
        """Return the descriptors that are watched: after a fork, the child lets go of them."""
        return tuple(self._descriptors)


class TolerantConnection(pika.SelectConnection):
    """A connection that survives properties which pika cannot decode: a date after 9999, a deep nesting.

    pika raises out of its event loop at them; the message would stay in its queue, and end the next server too.

    And it sends at once what was published, when `send_all` is called. pika sends each frame by itself, three
    for a message, and first asks the event loop whether the socket takes more: a call takes a tenth longer, and
    with 100 in flight there are half as many a second.
    """

    _frame_buffer: bytes
    _transport: Any  # neither is in the stub, nor what is called here
    _unsent: bytearray | None = None

    def send_all(self) -> None:
        """Send what there is to be sent; the event loop sends what the socket does not take yet."""
        data, self._unsent = self._unsent, None
        if data and self._transport is not None:  # else it was lost meanwhile
            self._transport.write(data)
            self._transport._on_socket_writable()

    def _adapter_emit_data(self, data: bytes) -> None:
        if self._unsent is None:
            self._unsent = bytearray()  # which grows in place: a large message is many frames
        self._unsent += data
        if len(self._unsent) > SEND_TOGETHER or not self.is_open:
            self.send_all()  # while it is being opened nobody else does

    def _read_frame(self) -> tuple[int, frame.Frame | frame.ProtocolHeader | None]:
        try:
            return super()._read_frame()  # type: ignore[misc, no-any-return]  # not in the stub
        except Exception:
            data = self._frame_buffer
            size = HEADER_SIZE + int.from_bytes(data[3:HEADER_SIZE])
            if data[0] != spec.FRAME_HEADER:
                raise
            kept, binary_id = strip_undecodable_properties(data[PROPERTIES_AT:size])
            head = data[:3] + (12 + len(kept)).to_bytes(4) + data[HEADER_SIZE:PROPERTIES_AT]
            _, read = frame.decode_frame(head + kept + bytes([spec.FRAME_END]))
            if binary_id is not None and isinstance(read, frame.Header):
                # bytes, as pika has it where it finds no UTF-8
                read.properties.correlation_id = binary_id  # type: ignore[assignment]
            return size + spec.FRAME_END_SIZE, read
