"""Numbers of blocks as a text: ``all``, or a list of numbers and ranges such as ``0, 4-7``."""

from __future__ import annotations

import re

ALL = "all"


def parse_blocks(text: str, depth: int) -> tuple[int, ...]:
    """Return the blocks, of ``depth`` that there are, each once, in rising order.

    Raises:
        ValueError: naming what cannot be read and the blocks there are.
    """
    if text.strip().casefold() == ALL:
        return tuple(range(depth))
    ranges = [_range(part.strip(), depth) for part in text.split(",")]
    return tuple(sorted(set().union(*ranges)))


def _range(text: str, depth: int) -> range:
    match = re.fullmatch(r"(\d{1,4})(?:\s*-\s*(\d{1,4}))?", text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
    if not match or not first <= last < depth:
        raise ValueError(
            f"There are no blocks {text!r}. This model has the blocks 0 … {depth - 1}: write 'all', or numbers and "
            f"ranges such as '0, {depth - 1}' or '0-{depth - 1}'."
        )
    return range(first, last + 1)
