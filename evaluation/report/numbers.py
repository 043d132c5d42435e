"""Numbers in words, the same on the page, in the panels and in the shell."""

from math import isfinite

from ..intervals import Interval


def percent(share: float | None) -> str:
    """Return a share in percent, without a zero behind the point; a dash where there is none."""
    return "–" if share is None else f"{share:.1%}".replace(".0%", "%")


def ranged(value: Interval) -> str:
    """Return a share with its interval."""
    return f"{percent(value.estimate)} ({100 * value.low:.1f}–{100 * value.high:.1f})"


def points(value: Interval) -> str:
    """Return a difference of shares in points of a hundred, with its interval."""
    return f"{100 * value.estimate:+.1f} ({100 * value.low:+.1f} to {100 * value.high:+.1f})".replace("-", "−")


def figure(value: Interval | float | None) -> str:
    """Return a number that is no share, with its interval if it has one; a dash where there is none."""
    if isinstance(value, Interval) and isfinite(value.high):
        return f"{value.estimate:.3f} ({value.low:.3f} to {value.high:.3f})".replace("-", "−")
    number = value.estimate if isinstance(value, Interval) else value
    return "–" if number is None else f"{number:.3f}"


def ratio(value: Interval) -> str:
    """Return a ratio of failures with its interval."""
    if not isfinite(value.high):
        return "hardly any to compare"
    return f"{value.estimate:.2f} ({value.low:.2f} to {value.high:.2f})"


def beside(apart: Interval, other: str, *, more: str = "ahead of", less: str = "behind") -> str:
    """Say whether a paired difference, in shares, is more than something, less, or neither for all one can tell."""
    if apart.low <= 0 <= apart.high:
        ends = points(apart).replace(" (", " points, ").removesuffix(")")
        return f"level with {other} for all that {apart.count} cases can tell ({ends})"
    least, most = sorted(abs(100 * end) for end in (apart.low, apart.high))
    way = more if apart.low > 0 else less
    return f"{way} {other} by {abs(100 * apart.estimate):.1f} points ({least:.1f} to {most:.1f})"
