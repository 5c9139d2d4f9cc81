"""What counts as a refusal (`RpcAccessRefused`) and not as an outage: trying again would not help."""

import ssl

REPLY_CODES = (
    403,  # access-refused: user, password, permission
    406,  # precondition-failed: the queue was declared otherwise
    530,  # not-allowed: no such virtual host
)


def is_refusal(reply_code: int | None, in_use: bool) -> bool:
    """Whether the broker's reply code is a refusal.

    Where messages were sent already (`in_use`), 406 says that one was too large, or a job too long for the
    broker's `consumer_timeout`.
    """
    return reply_code in REPLY_CODES and not (in_use and reply_code == 406)


def is_tls_refusal(error: BaseException) -> bool:
    """Whether TLS failed by a certificate, a host name or the protocol (C20).

    A connection that ends in the handshake raises an `SSLError` too, and may be an outage.
    """
    return isinstance(error, ssl.SSLError) and not isinstance(
        error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError
    )
