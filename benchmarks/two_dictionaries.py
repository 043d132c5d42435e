"""Two dictionaries on one prompt: combined, and one mixer behind the other: ``python benchmarks/two_dictionaries.py``;
writes ``benchmarks/results/two_dictionaries.json``.

A table is cut in two, every other category, and each half is learnt by itself from prompts that speak of it; then
prompts of both are swapped in categories of one half and of both. The rows of all-MiniLM-L6-v2 with the table of
photographs, and Portraits' pictures.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
import writing
from torch import Tensor

from supsae.evaluation.cases import Case, World
from supsae.evaluation.intervals import error_interval, paired_error, share
from supsae.evaluation.pictures import run, splits
from supsae.evaluation.pictures.bench import Way
from supsae.evaluation.pictures.methods import REWRITE, Method, Methods
from supsae.evaluation.pictures.parts import Size, compared, figures
from supsae.evaluation.pictures.renderer import diffusers_renderer
from supsae.evaluation.results import Hooks
from supsae.evaluation.text import photographs
from supsae.evaluation.text.asked import Counts, draw_asked
from supsae.evaluation.text.rivals import Rival
from supsae.evaluation.text.rows import Truth, measured, truths
from supsae.hosts.diffusers import studio
from supsae.hosts.diffusers.encoder import minilm
from supsae.portraits import captions
from supsae.supsae_core.dictionary.clash import clashes
from supsae.supsae_core.dictionary.combine import combine
from supsae.supsae_core.dictionary.model import Dictionary
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Edit
from supsae.supsae_core.host import TextHost
from supsae.supsae_core.reading.readout import read_conditioning
from supsae.supsae_core.table.concepts import ConceptTable
from supsae.supsae_core.table.prompts import Wording
from supsae.training.capture import CaptureConfig, capture_text, plan_text
from supsae.training.fit import fit_dictionary

SEED = 4711
ALL, OTHER_ROUND = "one dictionary of all", "combined, the other way round"
COMBINED, IN_A_ROW, ROW_ROUND = "two combined", "two, one behind the other", "two, the other way round"
OWN, OWN_COMBINED, OWN_ALL = "its own dictionary alone", "combined", "one dictionary of all"


def half(table: ConceptTable, side: int) -> ConceptTable:
    """Return the concepts of every other category."""
    names = list(table.categories)[side::2]
    return ConceptTable(tuple(one for one in table.concepts if one.category in names))


def learnt(table: ConceptTable, host: TextHost, wording: Wording, encodings: int, seed: int = SEED) -> Dictionary:
    """Return the dictionary of a table."""
    with tempfile.TemporaryDirectory() as folder:
        config = CaptureConfig(prompts=encodings, calibration=64, seed=seed)
        return fit_dictionary(capture_text(host, Path(folder), plan_text(table, host, config, wording)))


def own_edits(edits: Sequence[Edit], table: ConceptTable) -> list[Edit]:
    """Return the edits of a table's own categories."""
    return [one for one in edits if one.concept.partition(":")[0] in table.categories]


Conditioning = tuple[Tensor, Tensor | None]


def in_turn(dictionaries: Sequence[Dictionary], edits: Sequence[Edit], given: Conditioning) -> Conditioning:
    """Return what mixers in a row make: each reads what the one before it left, and makes the edits that it knows."""
    for one in dictionaries:
        own = own_edits(edits, one.table)
        made = apply(one, *given, own) if own else None
        given = given if made is None else (made.cond, made.pooled)
    return given


def rows_of(dictionaries: Sequence[Dictionary]) -> Rival:
    return Rival(lambda asked, before, _: in_turn(dictionaries, asked.case.edits, (before.cond, None))[0])


def photographed(encodings: int, prompts: int) -> dict[str, Any]:
    """Measure rows of all-MiniLM-L6-v2."""
    host, table, wording = minilm(), photographs.table(), photographs.WORDING
    first, second = (learnt(half(table, side), host, wording, encodings) for side in (0, 1))
    whole, again = learnt(table, host, wording, encodings), learnt(first.table, host, wording, encodings, SEED + 1)
    both, round_ = combine(first, second).dictionary, combine(second, first).dictionary
    known, _ = draw_asked(World(table, frozenset(), wording=wording), host, Counts(0, 0, prompts), SEED)
    shared = [one for one in known if all(own_edits(one.case.edits, side.table) for side in (first, second))]
    found = list(truths(host, table, shared))
    ways = {ALL: [whole], COMBINED: [both], OTHER_ROUND: [round_], IN_A_ROW: [first, second]}
    rivals = {name: rows_of(some) for name, some in {**ways, ROW_ROUND: [second, first]}.items()}
    alone = list(truths(host, table, [one for one in known if one not in shared]))
    same = [one for other in (again, whole) for one in clashes(first, other)]
    return {
        "encodings": encodings,
        "both_at_once": {
            "cases": len(shared),
            "methods": judged(found, rivals, ALL),
            "orders_apart": {
                name: apart(found, *(rivals[one] for one in pair))
                for name, pair in {COMBINED: (COMBINED, OTHER_ROUND), IN_A_ROW: (IN_A_ROW, ROW_ROUND)}.items()
            },
        },
        "one_of_them": own_alone(alone, (first, second), both, whole),
        "same_concepts_learnt_twice": {
            "alike": of_sizes([one.alike for one in same]), "times": of_sizes([one.times for one in same])
        },
    }  # fmt: skip


def of_sizes(values: Sequence[float]) -> dict[str, float]:
    told = sorted(values)
    return {"least": round(told[0], 3), "median": round(told[len(told) // 2], 3), "most": round(told[-1], 3)}


def judged(found: Sequence[Truth], rivals: Mapping[str, Rival], beside: str) -> dict[str, Any]:
    """Return the error of every rival and how often the rewrite is nearest to what it made."""
    made = {name: [measured(truth, rival) for truth in found] for name, rival in rivals.items()}
    squares = {
        name: [[sum(one.off.values()) for one in some], [sum(one.whole.values()) for one in some]]
        for name, some in made.items()
    }
    return {
        name: {
            "error": error_interval(*squares[name]).json(),
            f"minus {beside}": paired_error(squares[name], squares[beside]).json(),
            "nearest": share([one.nearest for one in some]).json(),
            "refused": sum(one.refused for one in some),
        }
        for name, some in made.items()
    }


def apart(found: Sequence[Truth], one: Rival, other: Rival) -> dict[str, Any]:
    """Return how far two rivals are apart, as a share of the rewrite's change; without cases that either refuses."""
    squares = []
    for truth in found:
        try:
            made = [rival.edit(truth.asked, truth.before, truth.after) for rival in (one, other)]
        except ValueError:
            continue
        if made[0].shape == made[1].shape == truth.after.cond.shape == truth.before.cond.shape:
            change = float((truth.after.cond - truth.before.cond).square().sum())
            squares.append((float((made[0] - made[1]).square().sum()), change))
    return error_interval(*zip(*squares, strict=True)).json()


def own_alone(
    found: Sequence[Truth], sides: Sequence[Dictionary], both: Dictionary, whole: Dictionary
) -> dict[str, Any]:
    """Measure edits of one half: by its own dictionary, combined, and what the other half's concepts then read as."""
    own = [next(one for one in sides if own_edits(truth.asked.case.edits, one.table)) for truth in found]
    others = [next(one for one in sides if one is not some) for some in own]
    of = {id(truth.asked): one for truth, one in zip(found, own, strict=True)}
    alone = Rival(lambda asked, before, _: in_turn([of[id(asked)]], asked.case.edits, (before.cond, None))[0])
    rivals = {OWN: alone, OWN_COMBINED: rows_of([both]), OWN_ALL: rows_of([whole])}
    bits = [made(truth, rivals[OWN]) for truth in found], [made(truth, rivals[OWN_COMBINED]) for truth in found]
    equal = [torch.equal(one, other) for one, other in zip(*bits, strict=True)]
    ends: dict[str, Callable[[Truth], Tensor]] = {
        name: lambda truth, rival=rival: made(truth, rival) for name, rival in rivals.items()
    }
    ends[REWRITE] = lambda truth: truth.after.cond
    return {
        "cases": len(found),
        "methods": judged(found, rivals, OWN),
        "equal_to_the_bit": share(equal).json(),
        "other_half_reads_otherwise": {
            name: share([_differs(*pair, end) for pair in zip(others, found, strict=True)]).json()
            for name, end in ends.items()
        },
    }


def _differs(other: Dictionary, truth: Truth, end: Callable[[Truth], Tensor]) -> bool:
    return reads(other, end(truth)) != reads(other, truth.before.cond)


def made(truth: Truth, rival: Rival) -> Tensor:
    """Return what a rival makes of a case; the rows as they were where it refuses."""
    try:
        return rival.edit(truth.asked, truth.before, truth.after)
    except ValueError:
        return truth.before.cond


def reads(dictionary: Dictionary, cond: Tensor) -> list[int]:
    try:
        return sorted(read_conditioning(dictionary, cond).concepts(dictionary))
    except ValueError:
        return []


def drawn(count: int, encodings: int, folder: Path) -> dict[str, Any]:
    """Draw swaps of one half and of both at once on Portraits, and read the pictures."""
    models, table = studio.quickened(studio.load_studio()), captions.table()
    halves = [learnt(half(table, side), models.host, captions.WORDING, encodings) for side in (0, 1)]
    whole, (first, second) = learnt(table, models.host, captions.WORDING, encodings), halves
    both = combine(first, second).dictionary
    config, quiet = run.EvalConfig(own_counts=Size(headline=count)), Hooks(print, lambda *_: lambda done: None)
    bench = run.prepared(whole, diffusers_renderer(models), folder, config, models.host, quiet, None)
    ways = {ALL: [whole], COMBINED: [both], IN_A_ROW: [first, second], ROW_ROUND: [second, first]}
    edits = {name: Method(f"{name} of two dictionaries' benchmark", by(some)) for name, some in ways.items()}
    bench = replace(bench, methods=Methods(models.host, edits))
    nested = splits.several(bench.world, count, np.random.default_rng(config.seed))
    cases = list(chain.from_iterable(nested))
    groups: dict[str, list[Case]] = {"one half": [], "both halves": []}
    for one in cases:
        groups["both halves" if all(own_edits(one.edits, side.table) for side in halves) else "one half"].append(one)
    told: dict[str, Any] = {}
    for name, some in groups.items():
        found, _ = bench.judge(some, [Way(way) for way in ways])
        told[name] = {"cases": len(some), **{str(way): figures(table, own) for way, own in found.items()}}
        told[name] |= {f"{way} minus {ALL}": compared(found[Way(way)], found[Way(ALL)]) for way in ways if way != ALL}
    return told


def by(dictionaries: Sequence[Dictionary]) -> Callable[[Case, Tensor, Tensor, float], Any]:
    """Return what mixers in a row make of a case; what is refused stays as it is."""

    def edit(case: Case, cond: Tensor, pooled: Tensor, strength: float) -> Conditioning:
        try:
            return in_turn(dictionaries, [replace(one, strength=strength) for one in case.edits], (cond, pooled))
        except ValueError:
            return cond, pooled

    return edit


def main() -> None:
    """Parse the command line, measure, write and print."""
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--encodings", type=int, default=300)
    parser.add_argument("--prompts", type=int, default=24, help="each with 1, 2, 3, 4 and 5 swaps")
    parser.add_argument("--pictures", type=int, default=16, help="prompts of Portraits, each with 1 … 5; 0 for none")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = {"photographs": photographed(args.encodings, args.prompts)}
        if args.pictures:
            told["portraits"] = drawn(args.pictures, args.encodings, Path(folder))
    writing.write(told, args.out)


if __name__ == "__main__":
    main()
