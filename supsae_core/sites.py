"""Where a dictionary reads and writes: ``cond``, ``pooled``, ``txt@i`` and ``img@i``."""

from __future__ import annotations

import re
from dataclasses import dataclass

KINDS: dict[str, bool] = {"cond": False, "pooled": False, "txt": True, "img": True}
"""Kind → whether it names a block."""


@dataclass(frozen=True)
class Site:
    """One place in the model; its text form is its spelling in files, widgets and flags."""

    kind: str
    block: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS or KINDS[self.kind] != (self.block is not None) or (self.block or 0) < 0:
            raise ValueError(f"There is no site {str(self)!r}. {_LEGAL}")

    def __str__(self) -> str:
        return self.kind if self.block is None else f"{self.kind}@{self.block}"


_LEGAL = "Sites are cond, pooled, txt@i and img@i, with i a block number from 0."


def parse(text: str) -> Site:
    """Read a site's spelling, e.g. ``txt@3``.

    Raises:
        ValueError: naming the spelling and the legal ones.
    """
    match = re.fullmatch(r"\s*([a-z]+)(?:@(\d+))?\s*", text)
    if not match or match[1] not in KINDS:
        raise ValueError(f"There is no site {text!r}. {_LEGAL}")
    return Site(match[1], None if match[2] is None else int(match[2]))
