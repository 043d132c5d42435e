"""Edits of rows by everyone, at strength 1 and at each one's own best: ``python benchmarks/rivals.py``; writes
``benchmarks/results/rivals.json`` (some minutes of one core).

Everyone learns from the same capture and edits the same prompts. The best strength of each is the factor of its moves
that comes nearest to the calibration rewrites, which nobody learnt from.
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import writing
from torch import Tensor

from supsae.evaluation.baselines.pieces import rewritten, strength_of_one
from supsae.evaluation.cases import Case, World
from supsae.evaluation.intervals import error_interval, paired_error, share
from supsae.evaluation.report.files import compact
from supsae.evaluation.text import aligned, bench, photographs, rivals
from supsae.evaluation.text.asked import Asked, Counts, draw_asked, mentions_of
from supsae.evaluation.text.rivals import Rival
from supsae.evaluation.text.rows import Measured, measured, truths
from supsae.hosts.diffusers.encoder import minilm
from supsae.hosts.embedded import PortraitsText
from supsae.portraits import captions
from supsae.supsae_core.capture.captures import Capture, Encoded
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.encoders.placing import layout_of, rows_of
from supsae.supsae_core.host import TextHost
from supsae.supsae_core.table.concepts import ConceptTable
from supsae.supsae_core.table.prompts import hold_out_pairs
from supsae.training.capture import CaptureConfig, capture_text, plan_text
from supsae.training.fit import fit_dictionary

SEED, HELD_OUT, MENTION, CALIBRATION = 4711, 0.1, 0.6, 64
HOSTS = {"all-MiniLM-L6-v2": (minilm, photographs.table), "Portraits": (PortraitsText, captions.table)}
"""Name → text host and the table that it is asked about."""
TUNED = ", best strength"


class Trial(NamedTuple):
    """A calibration prompt and its rewrite, as a case."""

    asked: Asked
    before: Encoded
    after: Encoded
    blocks: list[aligned.Block]


def trials(capture: Capture) -> Iterator[Trial]:
    """Yield a capture's calibration prompts, aligned with their rewrites."""
    family, table = capture.plan.family, capture.plan.table
    for before, after in rewritten(capture):
        prompt, rewrite = before.entry.prompt, after.entry.prompt
        case = Case(prompt, (), rewrite, 0, {}, prompt.support(table), rewrite.support(table))
        (change,) = [pair for pair in zip(case.before, case.after, strict=True) if pair[0] != pair[1]]
        case = replace(case, edits=(Swap(str(table.concepts[change[1]])),))
        asked = Asked("", case, mentions_of(table, case))
        layouts = [
            layout_of(family, table, row.entry.prompt, row.entry.counts, rows_of(row.cond, family))
            for row in (before, after)
        ]
        yield Trial(asked, before, after, aligned.blocks(family, *layouts, asked.mentions))


def best_strength(rival: Rival, some: list[Trial]) -> float:
    """Return the factor of someone's moves that leaves least of the calibration rewrites undone; 1 if all refuse."""
    moves = list[tuple[Tensor, Tensor]]()
    for asked, before, after, blocks in some:
        try:
            made = rival.edit(asked, before, after)
        except ValueError:
            continue
        for block in blocks:
            there = block.here if rival.in_place else block.there
            was = before.cond[block.here, block.columns]
            moves.append((made[block.here, block.columns] - was, after.cond[there, block.columns] - was))
    return strength_of_one(moves) if moves else 1.0


def at_strength(rival: Rival, strength: float) -> Rival:
    """Return someone at a multiple of the own strength."""

    def edit(asked: Asked, before: Encoded, after: Encoded) -> Tensor:
        return before.cond + strength * (rival.edit(asked, before, after) - before.cond)

    return Rival(edit, rival.in_place)


def judged(host: TextHost, table: ConceptTable, encodings: int, swaps: int, calibration: int = CALIBRATION) -> Any:
    """Capture, fit everyone, and edit prompts apart from all captured ones; half of the pairs were never seen."""
    held_out, wording = hold_out_pairs(table, HELD_OUT, SEED), bench.wording_of(table)
    config = CaptureConfig(prompts=encodings, calibration=calibration, mention=MENTION, seed=SEED)
    plan = replace(plan_text(table, host, config, wording, held_out), whole=True)  # some go by position
    with tempfile.TemporaryDirectory() as folder:
        capture = capture_text(host, Path(folder), plan)
        everyone = {**rivals.rivals(fit_dictionary(capture), capture, host), **rivals.of_table(capture, host)}
        known = list(trials(capture))
    strengths = {name: best_strength(rival, known) for name, rival in everyone.items()}
    everyone |= {name + TUNED: at_strength(everyone[name], strengths[name]) for name in list(everyone)}
    texts = frozenset(entry.prompt.text for entry in plan.entries)
    world = World(table, held_out, texts, wording=wording, mention=MENTION)
    asked, notes = draw_asked(world, host, Counts(swaps, 0, 0), SEED)
    found = {name: list[Measured]() for name in everyone}
    for truth in truths(host, table, asked):
        for name, rival in everyone.items():
            found[name].append(measured(truth, rival))
    about = {"encodings": encodings, "concepts": len(table), "cases": len(asked), "notes": notes}
    return {**about, "methods": figures(found, strengths)}


def figures(found: Mapping[str, list[Measured]], strengths: Mapping[str, float]) -> dict[str, Any]:
    """Return method → its error at strength 1 and at its best strength, beside SupSAE's at strength 1."""
    ours, made = squares(found[rivals.OURS]), dict[str, Any]()
    for name, strength in strengths.items():
        plain, tuned = (squares(found[name + end]) for end in ("", TUNED))
        made[name] = {
            "error": error_interval(*plain).json(),
            "best strength": round(strength, 3),
            "error at best strength": error_interval(*tuned).json(),
            "minus_ours": paired_error(tuned, ours).json(),
            "nearest": share([one.nearest for one in found[name + TUNED]]).json(),
            "refused": sum(one.refused for one in found[name]),
        }
    return made


def squares(some: list[Measured]) -> tuple[list[float], list[float]]:
    """Return per case what is left of a rewrite's squared change, and the change."""
    off, whole = ([sum(getattr(one, name).values(), 0.0) for one in some] for name in ("off", "whole"))
    return off, whole


def main() -> None:
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--encodings", type=int, default=300, help="that everyone learns from")
    parser.add_argument("--swaps", type=int, default=48, help="into seen pairs, and as many into unseen ones")
    args = parser.parse_args()
    made = {name: judged(host(), table(), args.encodings, args.swaps) for name, (host, table) in HOSTS.items()}
    args.out.write_text(compact({"swaps": made}) + "\n", encoding="utf-8")
    for name, one in made.items():
        for method, row in one["methods"].items():
            print(name, method, row["error"], row["best strength"], row["error at best strength"])


if __name__ == "__main__":
    main()
