"""The function that is served, its limits, and the check that every server makes before it computes."""

from contract.errors import InvalidRequest
from contract.limits import MAX_N


def fib(n: int) -> int:
    """Return the n-th Fibonacci number, exactly; the first two are 0 and 1."""
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def check_n(n: object) -> int:
    """Return n if a server may compute it (C9).

    Raises:
        InvalidRequest: n is not an `int` (`True` is not one here), is negative, or is over `MAX_N`.
    """
    if type(n) is not int:
        raise InvalidRequest(f"n must be an integer, not {type(n).__name__}")
    if not 0 <= n <= MAX_N:
        # the number itself may have thousands of digits, so it is not repeated
        raise InvalidRequest(
            f"n must be between 0 and {MAX_N}, and is {'negative' if n < 0 else 'larger'}"
        )
    return n
