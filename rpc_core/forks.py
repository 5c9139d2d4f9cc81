"""fork(): a child has copies of its parent's sockets, which keep a connection open and mix up its bytes (C2, C11).

Who only reads how a call is made can skip this. A connection tells `close_in_child` about its socket. In a child
that is forked its descriptor leads to /dev/null: the child can neither use its parent's connection nor hold it.
"""

import os
import socket
import weakref
from collections.abc import Iterable
from typing import Protocol


class HasDescriptors(Protocol):
    """What has sockets, as this file needs it."""

    def descriptors(self) -> Iterable[int]:
        """Return their descriptors; none once they are closed."""
        ...


_open: "weakref.WeakSet[HasDescriptors | socket.socket]" = weakref.WeakSet()


def close_in_child(what: HasDescriptors | socket.socket) -> None:
    """Have a forked child let go of a socket, or of what has several."""
    _open.add(what)


def _in_child() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for what in _open:
        found = [what.fileno()] if isinstance(what, socket.socket) else what.descriptors()
        for descriptor in found:
            # not close(): the library that has the descriptor would close it again, and then it may be another's
            if descriptor >= 0:
                os.dup2(nowhere, descriptor)
    os.close(nowhere)
    _open.clear()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_in_child)
