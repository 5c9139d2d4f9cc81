"""What a call can fail with. Every error is an `RpcError`; most are also the built-in error one would expect."""


class RpcError(Exception):
    """Base of everything a call can fail with."""


class RpcTimeout(RpcError, TimeoutError):
    """C4: no answer before the deadline. A server may have computed the answer all the same."""


class RpcServerUnavailable(RpcTimeout):
    """C6: nobody took the request: no server consumes the queue, or the broker could not be reached."""


class RpcConnectionLost(RpcError, ConnectionError):
    """C12: the broker went away with the call in flight. It may have run: call again only if it is idempotent."""


class RpcAccessRefused(RpcError, PermissionError):
    """C20, C23: the user, password, permission or certificate is refused, or the queue is of another kind.

    Trying again does not help until somebody changes something, so nothing is retried.
    """


class RpcClosed(RpcError):
    """C8: the client was closed before the call was answered or made; or it was made before a fork()."""


class InvalidRequest(RpcError, ValueError):
    """C9: the request was not one integer within the limits. The message says what was wrong."""


class RemoteError(RpcError):
    """C10: the function raised, or returned what cannot be sent. Carries its type's name and message, no class."""

    def __init__(self, exception_type: str, message: str) -> None:
        super().__init__(exception_type, message)
        self.exception_type = exception_type
        self.message = message

    def __str__(self) -> str:
        return f"{self.exception_type}: {self.message}"


class MalformedReply(ValueError):
    """C13: a reply that cannot be read. Never reaches a caller: it is counted, and the call goes on waiting."""
