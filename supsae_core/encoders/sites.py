"""Where a dictionary reads and writes: ``cond``, ``pooled``, ``txt@i`` and ``img@i``, and lists and ranges of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

KINDS: dict[str, bool] = {"cond": False, "pooled": False, "txt": True, "img": True}
"""Kind → whether it names a block."""
_LEGAL = "Sites are cond, pooled, txt@i and img@i with i a block number from 0, or a range such as txt@0-11."


@dataclass(frozen=True)
class Site:
    """One place in the model; its text form is its spelling in files, widgets and flags.

    ``txt@i`` and ``img@i`` are the text and the image stream entering block i; ``img@depth`` leaves the last block.
    """

    kind: str
    block: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS or KINDS[self.kind] != (self.block is not None) or (self.block or 0) < 0:
            raise ValueError(f"There is no site {str(self)!r}. {_LEGAL}")

    def __str__(self) -> str:
        return self.kind if self.block is None else f"{self.kind}@{self.block}"


def parse_sites(text: str) -> tuple[Site, ...]:
    """Read a list of sites, e.g. ``pooled, txt@0-3``; each is returned once, in the order written.

    Raises:
        ValueError: naming the spelling and the legal ones.
    """
    return tuple(dict.fromkeys(site for part in text.split(",") for site in _parse_one(part)))


def _parse_one(text: str) -> list[Site]:
    match = re.fullmatch(r"\s*([a-z]+)(?:@(\d{1,4})(?:-(\d{1,4}))?)?\s*", text)
    if not match or match[1] not in KINDS:
        raise ValueError(f"There is no site {text.strip()!r}. {_LEGAL}")
    kind, first, last = match[1], match[2], match[3] or match[2]
    if first is None:
        return [Site(kind)]
    if int(last) < int(first):
        raise ValueError(f"The range {text.strip()!r} runs backwards. Write {kind}@{int(last)}-{int(first)}.")
    return [Site(kind, block) for block in range(int(first), int(last) + 1)]


def check(sites: Sequence[Site], depth: int) -> None:
    """Refuse blocks that a model of ``depth`` blocks does not have.

    Raises:
        ValueError: naming the site and the range.
    """
    for site in sites:
        last = depth if site.kind == "img" else depth - 1
        if site.block is not None and site.block > last:
            raise ValueError(
                f"There is no {site}: this model has {depth} blocks, so {site.kind}@0 … {site.kind}@{last}."
            )
