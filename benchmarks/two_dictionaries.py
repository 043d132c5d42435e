"""Two dictionaries on one prompt, one mixer behind the other: ``python benchmarks/two_dictionaries.py``; writes
``benchmarks/results/two_dictionaries.json``.

The table of photographs is cut in two, every other category, and each half is learnt by itself from prompts that speak
of it; then prompts of both are swapped in several categories of both halves. all-MiniLM-L6-v2.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import writing
from torch import Tensor

from supsae.evaluation.cases import World
from supsae.evaluation.intervals import error_interval, paired_error, share
from supsae.evaluation.text import photographs
from supsae.evaluation.text.asked import Counts, draw_asked
from supsae.evaluation.text.rivals import Rival
from supsae.evaluation.text.rows import measured, truths
from supsae.hosts.diffusers.encoder import minilm
from supsae.supsae_core.dictionary.model import Dictionary
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Edit
from supsae.supsae_core.table.concepts import ConceptTable
from supsae.training.capture import CaptureConfig, capture_text, plan_text
from supsae.training.fit import fit_dictionary

SEED = 4711


def half(table: ConceptTable, side: int) -> ConceptTable:
    """Return the concepts of every other category."""
    names = list(table.categories)[side::2]
    return ConceptTable(tuple(one for one in table.concepts if one.category in names))


def learnt(table: ConceptTable, encodings: int) -> Dictionary:
    """Return the dictionary of a table."""
    with tempfile.TemporaryDirectory() as folder:
        host, config = minilm(), CaptureConfig(prompts=encodings, calibration=64, seed=SEED)
        return fit_dictionary(capture_text(host, Path(folder), plan_text(table, host, config, photographs.WORDING)))


def own_edits(edits: Sequence[Edit], table: ConceptTable) -> list[Edit]:
    """Return the edits of a table's own categories."""
    return [one for one in edits if one.concept.partition(":")[0] in table.categories]


def in_turn(dictionaries: Sequence[Dictionary]) -> Rival:
    """Return what mixers in a row make: each reads what the one before it left, and makes the edits that it knows."""

    def edit(asked, before, _) -> Tensor:
        rows = before.cond
        for one in dictionaries:
            own = own_edits(asked.case.edits, one.table)
            rows = apply(one, rows, None, own).cond if own else rows
        return rows

    return Rival(edit)


def main() -> None:
    """Parse the command line, measure, write and print."""
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--encodings", type=int, default=300)
    parser.add_argument("--prompts", type=int, default=24, help="each with 2, 3, 4 and 5 swaps")
    args = parser.parse_args()
    host, table = minilm(), photographs.table()
    sides = [half(table, 0), half(table, 1)]
    whole, first, second = (learnt(one, args.encodings) for one in (table, *sides))
    rivals = {
        "one dictionary of all": in_turn([whole]),
        "two, one behind the other": in_turn([first, second]),
        "two, the other way round": in_turn([second, first]),
    }
    drawn, _ = draw_asked(
        World(table, frozenset(), wording=photographs.WORDING), host, Counts(0, 0, args.prompts), SEED
    )
    asked = [one for one in drawn if all(own_edits(one.case.edits, side) for side in sides)]
    found = {name: [] for name in rivals}
    apart = []
    for truth in truths(host, table, asked):
        for name, rival in rivals.items():
            found[name].append(measured(truth, rival))
        apart.append(_apart(truth, rivals))
    squares = {
        name: [[sum(one.off.values()) for one in some], [sum(one.whole.values()) for one in some]]
        for name, some in found.items()
    }
    methods = {
        name: {
            "error": error_interval(*squares[name]).json(),
            "minus_one_dictionary": paired_error(squares[name], squares["one dictionary of all"]).json(),
            "nearest": share([one.nearest for one in some]).json(),
            "refused": sum(one.refused for one in some),
        }
        for name, some in found.items()
    }
    orders = error_interval(*zip(*[one for one in apart if one], strict=True)).json()
    writing.write(
        {"encodings": args.encodings, "cases": len(asked), "methods": methods, "orders_apart": orders}, args.out
    )


def _apart(truth, rivals) -> tuple[float, float] | None:
    """Return how far the two orders are apart, squared, and the rewrite's change; None where one refuses."""
    try:
        made = [rivals[name].edit(truth.asked, truth.before, truth.after) for name in list(rivals)[1:]]
    except ValueError:
        return None
    if made[0].shape != made[1].shape or made[0].shape != truth.after.cond.shape:
        return None
    change = float((truth.after.cond - truth.before.cond).square().sum())
    return float((made[0] - made[1]).square().sum()), change


if __name__ == "__main__":
    main()
