"""C4, C8: a call waits for good, and so does close()."""

from tests.broken import hang_in_call, hang_in_close

__path__ = hang_in_call.__path__

BREAKS = {"C4", "C8"}


class Client(hang_in_call.Client, hang_in_close.Client):
    pass
