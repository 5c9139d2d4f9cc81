"""What ended a connection, or kept one from being opened: an outage, or a permanent refusal."""

import ssl
from typing import NamedTuple

PERMANENT_CODES = (
    403,  # access-refused: user, password, permission
    406,  # precondition-failed: the queue was declared otherwise
    530,  # not-allowed: no such virtual host
)


class Failure(NamedTuple):
    """What a layer's exception comes down to."""

    cause: BaseException  # the innermost, which a reader of a log can act on
    reply_code: int | None = None  # AMQP's, where the broker gave one

    def is_permanent(self, was_ready: bool) -> bool:
        """Whether trying again would not help until somebody changes something (`RpcAccessRefused`).

        Once messages were sent (`was_ready`), 406 says that one was too large, or a job too long for the
        broker's `consumer_timeout`.
        """
        if self.reply_code is not None:
            return self.reply_code in PERMANENT_CODES and not (was_ready and self.reply_code == 406)
        return is_tls_refusal(self.cause)


def is_tls_refusal(error: BaseException) -> bool:
    """Whether TLS failed by a certificate, a host name or the protocol (C20).

    A connection that ends in the handshake raises an `SSLError` too, and may be an outage.
    """
    return isinstance(error, ssl.SSLError) and not isinstance(
        error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError
    )
