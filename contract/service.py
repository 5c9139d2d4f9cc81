"""What a request and a result may be: replaced for a service of your own (docs/make-it-yours.md)."""

from collections.abc import Callable
from typing import Any, NamedTuple

from contract.fibonacci import check_n
from contract.limits import MAX_BODY


class Service(NamedTuple):
    """The checks of one service. Each gets a value as JSON has it, and returns it, or raises.

    The server checks a request before it computes, and a result before it replies. The client checks the result
    again, as others may write to its callback queue. `null` is no result.
    """

    check_request: Callable[[object], Any]  # what it raises is an InvalidRequest to the caller (C9)
    check_result: Callable[
        [object], Any
    ]  # a RemoteError (C10); in the client a malformed reply (C13)
    max_body: int = MAX_BODY  # bytes of a request (C9)


def check_integer(result: object) -> int:
    """Return a result if it is an `int` (`True` is not one here).

    Raises:
        TypeError: it is not.
    """
    if type(result) is not int:
        raise TypeError(f"the function returned {type(result).__name__}, not int")
    return result


FIBONACCI = Service(check_n, check_integer)
