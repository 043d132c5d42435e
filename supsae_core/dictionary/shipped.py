"""What a dictionary says of itself once it is fit to be given away: who made it, how, and under which licence.

It stands in the provenance, under ``shipped``, so that every loader keeps it and a light form carries it along.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from .inherited import combined_of
from .light import is_light
from .model import Dictionary

SHIPPED = "shipped"
"""Member of a dictionary's provenance."""
LICENCES = (
    "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "CC-BY-ND-4.0", "CC-BY-NC-ND-4.0",
    "MIT", "MIT-0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Unlicense", "0BSD", "MPL-2.0", "ODbL-1.0",
    "ODC-By-1.0", "PDDL-1.0", "CDLA-Permissive-2.0", "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only",
    "GPL-3.0-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "AGPL-3.0-only", "AGPL-3.0-or-later",
)  # fmt: skip
"""SPDX identifiers that are taken as they are; any other licence is a ``LicenseRef-``."""
LETTERS = 200
"""Letters of each entry at most, as a file has it."""
_OWN = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")
NEEDED = {
    "prompts": "from how many prompts it was learnt",
    "seed": "which seed drew them",
    "solver": "which solver fitted it",
    "tool": "which version made it",
    "fingerprint": "of which text encoders it is",
}
"""Member of the provenance → what a dictionary that is given away must say."""


@dataclass(frozen=True)
class Shipped:
    """What is said of a dictionary that is given away."""

    author: str
    licence: str
    """SPDX identifier"""
    model: str
    """whose text encoders it was learnt from, and its pictures drawn with, as people call it"""
    date: str
    """YYYY-MM-DD"""
    made_with: Sequence[str]
    """program and versions"""
    pictures: str
    """name of the strip beside the file"""
    picture_hash: str
    """sha256 of the strip"""


def licence_of(text: str) -> str:
    """Return an SPDX identifier as it is spelled.

    Raises:
        ValueError: naming the known ones, if it is none of them and no ``LicenseRef-``.
    """
    known = {one.casefold(): one for one in LICENCES}
    found = known.get(text.strip().casefold())
    if found is None and not _OWN.fullmatch(text.strip()):
        raise ValueError(
            f"The licence is {text!r}, which is no SPDX identifier that is known here. Choose one of "
            f"{', '.join(LICENCES)}, or 'LicenseRef-…' for another."
        )
    return found or text.strip()


def lacking(dictionary: Dictionary) -> list[str]:
    """Return what a dictionary lacks to be given away, a sentence each."""
    known, missing = combined_of(dictionary.provenance) or [dictionary.provenance], []
    if any(is_light(one) for one in known):
        missing.append("It is a light form, whose edits are less exact: ship the whole file.")
    unsaid = (what for name, what in NEEDED.items() if any(one.get(name) in (None, "") for one in known))
    missing += [f"It does not say {what}: fit it anew." for what in unsaid]
    unlearnt = [str(one) for index, one in enumerate(dictionary.table.concepts) if dictionary.writes[index] is None]
    if unlearnt:
        missing.append(f"It cannot write {', '.join(unlearnt)}: no prompt that it learnt from says so. Capture more.")
    return missing


def with_shipped(dictionary: Dictionary, said: Shipped) -> Dictionary:
    """Return a dictionary that says all this of itself; its edits are the same."""
    told = {**asdict(said), "made_with": list(said.made_with)}
    return replace(dictionary, provenance={**dictionary.provenance, "licence": said.licence, SHIPPED: told})


def shipped_of(provenance: Mapping[str, Any]) -> Shipped | None:
    """Return what a dictionary, or a header, says of itself; None if it says nothing, or something else."""
    told = provenance.get(SHIPPED)
    names = ("author", "licence", "model", "date", "pictures", "picture_hash")
    if not isinstance(told, Mapping) or not all(isinstance(told.get(name), str) for name in names):
        return None
    made = told.get("made_with")
    texts = {name: " ".join(told[name][:LETTERS].split()) for name in names}
    return Shipped(**texts, made_with=tuple(map(str, made)) if isinstance(made, list) else ())


def unshipped(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return a provenance as it was before: giving a dictionary away does not make another one of it."""
    left = {name: one for name, one in provenance.items() if name != SHIPPED}
    return {**left, "licence": ""} if SHIPPED in provenance else left


def told_of_shipped(provenance: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a report."""
    said = shipped_of(provenance)
    if said is not None:
        yield f"Given away by {said.author} on {said.date}, licence {said.licence}"
        yield f"Learnt from and drawn with {said.model}"
        yield f"Pictures of every concept: {said.pictures}"
