"""How figures are written, everywhere alike: in the terminal, the pages and the README."""

from benchmarks.measure import Ratio

NO_DIFFERENCE = "no difference measured"
ALIKE = 0.05
"""Two programs that could not be told apart are said not to differ only if the median ratio is this near to 1."""
MISSING = "-"


def milliseconds(seconds: float) -> str:
    """Write a time: `0.74 ms`, `12.3 ms`, `480 ms`."""
    value = seconds * 1000
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f} ms"


def rate(per_second: float) -> str:
    """Write a rate, to three digits."""
    digits = 3 - len(str(int(per_second)))
    return f"{round(per_second, min(0, digits)):,.0f}"


def factor(value: float) -> str:
    """Write a ratio, to two or three digits: `0.35`, `1.8`, `12`."""
    return f"{value:.2f}" if value < 2 else f"{value:.1f}" if value < 10 else f"{value:.0f}"


def times(ratio: Ratio) -> str:
    """Write a ratio with its interquartile range; or with what speaks against it."""
    low, median, high = ratio.quartiles
    if ratio.differs:
        return f"{factor(median)} ({factor(low)} to {factor(high)})"
    if abs(median - 1) <= ALIKE:
        return NO_DIFFERENCE
    why = "ranges overlap" if ratio.agreed else "passes disagree"
    return f"{factor(median)}, {why} ({ratio.above} of {ratio.passes} above 1)"


def briefly(ratio: Ratio) -> str:
    """Write a ratio without its range, if the passes agree on it."""
    return factor(ratio.quartiles.median) if ratio.differs else times(ratio)


def percent(share: float) -> str:
    """Write a share: `24 %`."""
    return f"{share * 100:.0f} %"


def plural(number: int, noun: str) -> str:
    """Write a number of things: `1 server`, `2,090 digits`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
