"""What edits on a MODEL do in one run of the sampler: what each prompt says is read once, and what each entry gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from ...supsae_core.dictionary.model import Dictionary
from ...supsae_core.editing import outcome, steer
from ...supsae_core.editing.apply import Edited, added
from ...supsae_core.editing.edits import AnyEdit, Keep, aim, expected, resolve_edits
from ...supsae_core.editing.mix_report import MixedPrompt
from ...supsae_core.editing.steer import Moves, Where
from . import edit_reports, placed
from .idle import idle_of

TellMixed = Callable[[Sequence[MixedPrompt], str, Mapping[AnyEdit, str]], None]


@dataclass(frozen=True, eq=False)
class Steering:
    """Edits of one node on a MODEL."""

    dictionary: Dictionary
    edits: tuple[AnyEdit, ...]
    where: Where
    mask: Tensor | None = None
    """(H, W) in 0 … 1: where in the picture the image stream may change"""
    told: tuple[TellMixed, ...] = ()
    """called once a run with what every positive prompt says before and after, the report, and what was left out of
    ``optional``; may be all there is"""
    optional: frozenset[AnyEdit] = frozenset()
    """edits that are left out where they cannot be made"""
    free: bool = False
    """whether the Lock shall hold nothing"""
    acts: bool = True
    """False of what only tells, of edits that others make at several times"""
    tells: bool = True
    """False of those others"""


@dataclass(frozen=True)
class SteeringGroup:
    """Edits that act at the same place and time, for every entry they concern."""

    steering: Steering
    rows: Mapping[Any, Moves]
    """uuid of an entry → what it gets; B rows are repeated to the batch as ComfyUI repeats the entry's own"""


@dataclass(frozen=True)
class Run:
    """One sampling; made when it starts and dropped when it ends."""

    groups: tuple[SteeringGroup, ...]
    to_sigma: Callable[[float], float]
    report: str
    lists: Mapping[Any, str]
    """uuid of an entry → "positive", "negative" or another list that it stands in"""
    moved: dict[Any, Tensor] = field(default_factory=dict)
    """steps that were brought to the model's device or through its embedder once"""


def prepare(conds: Mapping[str, list[dict]], steerings: Sequence[Steering], to_sigma: Callable[[float], float]) -> Run:
    """Find out what every entry of a guider's lists ("positive", "negative" and others) gets.

    Raises:
        ValueError: if rows cannot be read, or an edit finds nothing to change anywhere.
    """
    groups, lines = [], []
    for steering in merged(steerings):
        rows: dict[Any, Moves] = {}
        for negative in (False, True) if steering.where.everywhere else (False,):
            lists = [entries for name, entries in conds.items() if ("negative" in name) == negative]
            entries = [entry for some in lists for entry in some or () if entry.get("cross_attn") is not None]
            told = _prepare_entries(steering, entries, negative, rows)
            lines += told if steering.tells else []
        if steering.acts:
            groups.append(SteeringGroup(steering, rows))
    lists = {entry["uuid"]: name for name, entries in conds.items() for entry in entries or ()}
    return Run(tuple(groups), to_sigma, "\n".join(lines), lists)


def merged(steerings: Sequence[Steering]) -> list[Steering]:
    """Join edits of the same dictionary, place, time and mask: together they are one change of support."""
    found: dict[tuple, Steering] = {}
    for one in steerings:
        key = (id(one.dictionary), one.where, id(one.mask), one.acts, one.tells)
        both = found.get(key, one)
        if both is not one:
            told, optional = both.told + one.told, both.optional | one.optional
            free = both.free or one.free
            one = replace(both, edits=both.edits + one.edits, told=told, optional=optional, free=free)
        found[key] = one
    return list(found.values())


def _prepare_entries(steering: Steering, entries: Sequence[dict], negative: bool, rows: dict[Any, Moves]) -> list[str]:
    """Add what the entries get to ``rows``; return what to report."""
    dictionary, lines = steering.dictionary, []
    pairs = [[entry["cross_attn"], entry] for entry in entries]
    named = expected(dictionary.table, steering.edits)
    places = [place for index, pair in enumerate(pairs) for place in placed.read(dictionary, pair, index, named)]
    if not places and not negative and steering.edits:
        raise ValueError("The positive conditioning holds no text (Conditioning Zero Out?): there is nothing to edit.")
    edits = [one for one in steering.edits if not negative or _mentioned(dictionary, one, places)]
    which = placed.choose(dictionary, edits, places, steering.optional) if places else placed.Chosen([], {}, [])
    nothing = idle_of(dictionary, () if negative else edits, places, which)
    prompts, fallen = list[MixedPrompt](), list[str]()
    for index, entry in enumerate(entries):
        own = [
            (place, some, resolve_edits(dictionary, some, place.said), idle)
            for place, some, idle in zip(places, which.edits, nothing, strict=True)
            if place.entry == index
        ]
        lines += [
            edit_reports.line(dictionary, place, some, found, len(places), idle) for place, some, found, idle in own
        ]
        moves: list[Moves] = []
        if any(found for _, _, found, _ in own):
            if steering.mask is not None and entry.get("area") is not None:
                raise ValueError(
                    "A mask of the whole picture cannot be laid over a conditioning that has an area of its own. "
                    "Remove the mask from Apply Edits, or the area from the conditioning."
                )
            rows_of = entry["cross_attn"]
            moves = [
                steer.moves(dictionary, rows_of[place.row], place.reading, found, steering.where)
                for place, _, found, _ in own
            ]
            rows[entry["uuid"]] = steer.stacked(moves)
        for number, (place, _, found, idle) in enumerate(own if steering.told else ()):
            step, cond = moves[number].cond if moves else None, entry["cross_attn"][place.row].cpu()
            moved = cond if step is None else added(cond, step)
            again = outcome.read_again(dictionary, Edited(moved, None, place.reading, found))
            prompts.append(edit_reports.mixed_prompt(dictionary, place, again, len(places), idle))
            if step is not None:
                fallen += edit_reports.told_again(dictionary, [place], [again], len(places))
    lines += fallen
    if not negative:
        for tell in steering.told:
            tell(prompts, "\n".join(lines), which.left_out)
    return lines


def _mentioned(dictionary: Dictionary, edit: AnyEdit, places: Sequence[placed.Place]) -> bool:
    members = set(aim(dictionary.table, edit).members)
    return isinstance(edit, Keep) or any(members & set(place.said) for place in places)
