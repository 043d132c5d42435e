"""What ``supsae edit`` does: a portrait before and after edits, and what was found and changed."""

import argparse
import re
import reprlib
from collections.abc import Sequence

from torch import Tensor
from tqdm import tqdm

from ..drawing.sheet import side_by_side
from ..hosts.embedded import PortraitsText
from ..portraits.paths import DICTIONARY
from ..supsae_core.dictionary.file import load_dictionary
from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.editing import edits, offered, outcome
from ..supsae_core.editing.apply import Edited, apply
from ..supsae_core.editing.edits import Change, Edit
from ..supsae_core.host import check_host
from ..supsae_core.reading import readout
from ..supsae_core.reading.known_text import KnownText
from ..supsae_core.reading.offer import GUESS
from ..supsae_core.reading.readout import Reading
from ..supsae_core.table.concepts import spaced
from .bars import onto

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
LONGEST = 300
"""Characters of an edit: a concept's name and a strength are shorter."""
SPELLING = re.compile(r"\s*(\w+)\s+(.+?)\s*(?:#\s*(\d+)\s*)?(?:@\s*(\S+)\s*)?", re.DOTALL)


def edit_portrait(args: argparse.Namespace) -> None:
    """Draw a portrait before and after edits, side by side, and say what was found and what changed."""
    wanted = [parse_edit(text) for text in args.edits]
    if args.out.suffix.lower() not in PICTURES:
        raise ValueError(f"The picture {str(args.out)!r} must end in one of {', '.join(PICTURES)}.")
    learnt, host = load_dictionary(args.dictionary or DICTIONARY), PortraitsText()
    check_host(learnt, host)
    prompt = spaced(args.prompt)
    (cond,), (pooled,) = host.encode([prompt])
    words = tuple(prompt.split())
    reading, told = _read(learnt, cond, wanted, KnownText(words, host.counts(words)), args)
    made = apply(learnt, cond, pooled, wanted, reading)
    assert made.pooled is not None
    print(told)
    again = outcome.read_again(learnt, made)
    print("\n".join([*_change_lines(learnt, wanted, made), *_outcome_lines(learnt, again)]))
    from ..hosts.diffusers import studio  # takes seconds to import: only once the edit is known to be possible

    models = studio.load_studio()
    with tqdm(total=2, desc="draw", unit="picture") as bar:
        pictures = studio.draw_portraits(
            models, [cond, made.cond], [pooled, made.pooled], [args.seed] * 2,
            steps=args.steps, cfg=args.cfg, batch=1, progress=onto(bar), people=args.people,
        )  # fmt: skip
    print(_difference(*studio.read_portraits(models, pictures)))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    asked = "; ".join(" ".join(text.split()) for text in args.edits)
    side_by_side(list(pictures), [f"before, seed {args.seed}", f"after: {asked}"]).save(args.out)
    print(f"Wrote {args.out}")


def _read(
    learnt: Dictionary, cond: Tensor, wanted: Sequence[Edit], text: KnownText, args: argparse.Namespace
) -> tuple[Reading, str]:
    """Return what the prompt says, with offers if they are to be taken, and lines about both."""
    reading = readout.read_conditioning(learnt, cond, edits.expected(learnt.table, wanted))
    lines = [f"The prompt says {readout.describe_reading(learnt, reading)}."]
    offers = offered.offers(learnt, cond, reading, wanted, text, args.at)
    taken = bool(args.accept or args.at)
    for concept, one in offers.items():
        if taken:
            lines.append(f"Taken as {one.category}: {one.words!r} ({one.how}).")
        elif one.how != GUESS:
            lines.append(f"{offered.tell_offer(learnt, one)}: --accept edits it there instead of adding {concept}.")
    return offered.take(learnt, reading, offers) if taken else reading, "\n".join(lines)


def parse_edit(text: str) -> Edit:
    """Read an edit's spelling: ``swap hair: red``, ``swap hair: red @ 0.5`` or, of two mentions, ``swap hair: red #2``.

    Raises:
        ValueError: naming the text received and how one is written.
    """
    match = SPELLING.fullmatch(text) if len(text) <= LONGEST else None
    try:
        strength = float(match[4]) if match and match[4] else 1.0
    except ValueError:
        match, strength = None, 1.0
    if not match:
        raise ValueError(
            f"The edit {reprlib.repr(text)} cannot be read. Write 'swap hair: red', 'swap hair: red @ 0.5' for half, "
            "or 'swap hair: red #2' for the second mention."
        )
    return edits.make_edit(match[1].casefold(), match[2], strength, int(match[3] or 0))


def _change_lines(learnt: Dictionary, wanted: Sequence[Edit], made: Edited) -> list[str]:
    """Say what each edit came to; changes carry applied strengths, so the slider's are taken from the edits."""
    lines = []
    for edit in wanted:
        members = learnt.table.categories[learnt.table.concepts[learnt.table.index(edit.concept)].category]
        own = [change for change in made.changes if change.old in members or change.new in members]
        lines += [f"Changed: {_change(learnt, change)}{_at(edit)}" for change in own]
        if not own:
            lines.append(f"Nothing to change for {edit.concept!r}: said already, or at a strength without effect.")
    return lines


def _outcome_lines(learnt: Dictionary, again: outcome.ReadAgain) -> list[str]:
    """Say what the edited rows read as."""
    took = [one for one in again.outcomes if one.verdict == outcome.TOOK]
    every = "Read again: the changes took." if took and len(took) == len(again.outcomes) else ""
    return [line for line in (every, *(f"Read again: {one}." for one in outcome.tell(learnt, again))) if line]


def _change(learnt: Dictionary, change: Change) -> str:
    old, new = (None if one is None else str(learnt.table.concepts[one]) for one in (change.old, change.new))
    if change.scale:
        return f"{old} scaled"
    return f"{old} to {new}" if old and new else f"{new} added" if new else f"{old} removed"


def _at(edit: Edit) -> str:
    return "" if edit.strength == 1 else f", strength {edit.strength:g}"


def _difference(before: dict[str, str], after: dict[str, str]) -> str:
    moved = [f"{name} from {before[name]} to {value}" for name, value in after.items() if value != before[name]]
    if not moved:
        return "The reader sees the same values in both pictures."
    return f"In the pictures the reader sees {', '.join(moved)}; the rest as before."
