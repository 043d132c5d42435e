"""Check a model: layout, a small capture, reading, edits against rewrites, pictures, blocks; one report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from PIL import Image

from ...hosts.sights import DrawTrios, HearBlocks, Trio, WantedTrio
from ...supsae_core.host import TextHost
from ...supsae_core.table.concepts import ConceptTable
from ...supsae_core.version import __version__
from ..cases import Case
from ..results import Hooks
from . import judged
from .found import CheckLine, failed
from .layout import Weighted, check_layout, draw_texts
from .sheet import sheet, swaps
from .trial import ASKED, CALIBRATION, TrialConfig, TrialFit, learn, try_edits, wording_for

SCHEMA = 1
"""Version of ``check.json``."""
LAID_OUT = 4
"""Lines of the layout."""
PICTURES = 3
"""Swaps that are drawn."""
NO_PICTURES = "not tried: no model was given with its VAE"
NO_BLOCKS = "not tried: no model was given"
_Made = TypeVar("_Made")


class Sights(NamedTuple):
    """What a host shows beside its text encoders."""

    weighted: Weighted | None = None
    draw: DrawTrios | None = None
    blocks: HearBlocks | None = None
    pictures: int = PICTURES
    """swaps that are drawn"""


class About(NamedTuple):
    """What a report says of where it was made."""

    host: str
    """the program, and its version"""
    files: Sequence[str] = ()
    """names of the model's files, without folders"""
    own_table: bool = False


class Checked(NamedTuple):
    """All that was found."""

    found: Sequence[CheckLine]
    verdicts: Sequence[judged.Verdict]
    json: Mapping[str, Any]
    sheet: Image.Image
    swaps: Image.Image | None
    """the pictures alone; None if none was drawn"""

    @property
    def level(self) -> str:
        """The worst of what was judged."""
        return max((level for level, _ in self.verdicts), key=judged.LEVELS.index)

    @property
    def verdict(self) -> str:
        """What to make of it, in a sentence or some more."""
        return "\n".join(sentence for _, sentence in self.verdicts)

    def report(self, saved: str) -> str:
        """Return a line a check, where it is saved, and the verdict at the end."""
        lines = [f"{one.mark} {one.what}: {one.told}" for one in self.found]
        return "\n".join([*lines, saved, "", *reversed(self.verdict.splitlines())])


def steps(config: TrialConfig) -> int:
    """Return what the parts of a run count to, but for its pictures."""
    plan = config.encodings + 2 * CALIBRATION
    return LAID_OUT + plan + plan // 4 + ASKED.swaps + 4 * ASKED.others


def run_check(
    host: TextHost, table: ConceptTable, config: TrialConfig, hooks: Hooks, sights: Sights, about: About
) -> Checked:
    """Look at everything, one after another; what cannot be finished is a cross with its reason."""
    found, trios = list[CheckLine](), list[tuple[str, Trio]]()

    def tried(what: str, make: Callable[[], _Made]) -> _Made | None:
        try:
            return make()
        except (ValueError, RuntimeError) as error:
            found.append(failed(what, error))
            return None

    def laid_out() -> Iterator[CheckLine]:
        texts = draw_texts(table, wording_for(table), host, config.seed)
        return check_layout(host, texts, sights.weighted)

    for_layout = hooks.part("layout", LAID_OUT)
    for one in _each(laid_out, found):
        found.append(one)
        for_layout(1)
    learnt = None if _is_broken(found) else tried("learning", lambda: learn(host, table, config, hooks))
    if learnt is not None:
        found.append(judged.learning(learnt))
        trial = tried("edits", lambda: try_edits(host, learnt, config.seed, hooks))
        if trial is not None:
            found += judged.edits(trial)
            drawn = tried("pictures", lambda: _draw(learnt, [one.case for one in trial.cases], sights))
            trios += drawn or ()
            if drawn is not None:
                found.append(
                    judged.pictures([one for _, one in drawn]) if drawn else CheckLine("pictures", None, NO_PICTURES)
                )
    hears = sights.blocks
    heard = tried("blocks", hears) if hears else None
    if heard is not None or hears is None:
        found.append(judged.blocks(heard) if heard else CheckLine("blocks", None, NO_BLOCKS))
    return checked(found, config, about, trios)


def _each(make: Callable[[], Iterator[CheckLine]], found: list[CheckLine]) -> Iterator[CheckLine]:
    """Yield what is found one by one; what stops it is found as well."""
    try:
        yield from make()
    except (ValueError, RuntimeError) as error:
        found.append(failed("rows", error))


def _is_broken(found: Sequence[CheckLine]) -> bool:
    return any(one.holds is False for one in found if one.what in ("family", "rows"))


def _draw(learnt: TrialFit, cases: Sequence[Case], sights: Sights) -> list[tuple[str, Trio]]:
    """Draw a few swaps, of different categories first."""
    swaps = [one for one in cases if len(one.before) == len(one.after) and len(one.edits) == 1]
    asked = {one.edits[0].concept.split(":")[0]: one for one in reversed(swaps)}
    some = [*reversed(asked.values()), *(one for one in swaps if one not in asked.values())][: sights.pictures]
    if sights.draw is None or not some:
        return []
    wanted = [WantedTrio(one.prompt.text, one.edits, one.rewrite.text) for one in some]
    drawn = sights.draw(learnt.dictionary, wanted)
    return list(zip((one.edits[0].concept for one in some), drawn, strict=True))


def checked(
    found: Sequence[CheckLine], config: TrialConfig, about: About, trios: Sequence[tuple[str, Trio]] = ()
) -> Checked:
    """Put a report together."""
    verdicts = judged.verdicts(found)
    family = next((one.numbers.get("family") for one in found if one.what == "family"), None)
    made = {
        "schema_version": SCHEMA,
        "tool": f"supsae {__version__}",
        "host": about.host,
        "torch": str(torch.__version__),
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "files": list(about.files),
        "family": family,
        "table": "own" if about.own_table else "built in",
        "settings": {"encodings": config.encodings, "seed": config.seed, "mention": config.mention},
        "verdict": [{"level": level, "sentence": sentence} for level, sentence in verdicts],
        "checks": {one.what: {"holds": one.holds, "told": one.told, **one.numbers} for one in found},
    }
    drawn = swaps(trios)
    return Checked(found, verdicts, made, sheet(verdicts[0][1], found, drawn), drawn)
