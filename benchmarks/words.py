"""How figures are written, everywhere alike: in the terminal, the page and the README."""

from benchmarks.measure import Ratio

NO_DIFFERENCE = "no difference measured"


def milliseconds(seconds: float) -> str:
    """Write a time: `0.74 ms`."""
    value = seconds * 1000
    return f"{value:.2f} ms" if value < 10 else f"{value:,.1f} ms" if value < 100 else f"{value:,.0f} ms"


def calls_per_second(seconds_per_call: float) -> str:
    """Write a rate, to three digits: `4,810`."""
    return rate(1 / seconds_per_call)


def rate(per_second: float) -> str:
    """Write a rate, to three digits."""
    digits = 3 - len(str(int(per_second)))
    return f"{round(per_second, min(0, digits)):,.0f}"


def factor(value: float) -> str:
    """Write a ratio, to two or three digits: `0.35`, `1.8`, `12`."""
    return f"{value:.2f}" if value < 2 else f"{value:.1f}" if value < 10 else f"{value:.0f}"


def times(ratio: Ratio) -> str:
    """Write a ratio with its spread, or that the two could not be told apart."""
    if not ratio.differs:
        return NO_DIFFERENCE
    low, median, high = ratio.spread
    return f"{factor(median)} ({factor(low)} to {factor(high)})"
