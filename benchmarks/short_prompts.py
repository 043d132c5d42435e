"""Edits of short prompts, learnt from full ones alone and from short ones too: ``python benchmarks/short_prompts.py``;
writes ``benchmarks/results/short_prompts.json``.

Rows: the share of a rewrite's change that an edit leaves undone, by the number of concepts that a prompt says, with
nothing about other things. Pictures: how many swaps in prompts of Portraits are read as asked, and how many of the
rewrite.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import writing
from torch import Tensor

from supsae.evaluation.cases import World, draw_cases
from supsae.evaluation.text.aligned import as_paired
from supsae.evaluation.text.asked import Asked, has_room, mentions_of
from supsae.evaluation.text.bench import wording_of
from supsae.evaluation.text.photographs import table as photographs
from supsae.evaluation.text.rivals import Rival
from supsae.evaluation.text.rows import measured, truth_of
from supsae.hosts.choose import OWN
from supsae.hosts.diffusers import studio
from supsae.hosts.embedded import PortraitsText
from supsae.portraits import captions
from supsae.supsae_core.capture.captures import Encoded
from supsae.supsae_core.dictionary.model import Dictionary
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Add, Edit, Remove, Swap
from supsae.supsae_core.host import TextHost
from supsae.supsae_core.table.concepts import ConceptTable
from supsae.training.capture import CaptureConfig, capture_text, plan_text
from supsae.training.fit import fit_dictionary

PROMPTS, SAID, KINDS = 300, (1, 2, 3, 5, 7), (Swap, Add, Remove)
"""To learn from; how many concepts a prompt that is edited says; edits of each number."""
TEXTS = {
    "blond hair, in a forest": ("hair: red", "red hair, in a forest"),
    "a woman with blond hair": ("hair: red", "a woman with red hair"),
    "a man in a hoodie": ("clothing: suit", "a man in a suit"),
}
"""Prompts as people type them → the swap, and the rewrite."""


def cases(table: ConceptTable, host: TextHost, kind: type[Edit], said: int, count: int) -> list[Asked]:
    """Draw edits of prompts that say so many concepts and nothing else but fillers."""
    world = World(table, wording=replace(wording_of(table), others=()), mention=min(1, said / len(table.categories)))
    rng, found = np.random.default_rng((7, said, KINDS.index(kind))), list[Asked]()
    while len(found) < count:
        (case,) = draw_cases(kind, world, 1, rng)
        if len(case.prompt.mentions) == said and has_room(host, case):
            found.append(Asked(f"{said}", case, mentions_of(table, case)))
    return found


def edited(dictionary: Dictionary, asked: Asked, before: Encoded, _: Encoded) -> Tensor:
    """Edit rows as the nodes do."""
    return as_paired(apply(dictionary, before.cond, None, asked.case.edits))


def undone(host: TextHost, learnt: Mapping[str, Dictionary], some: Sequence[Asked]) -> dict[str, float]:
    """Return, per dictionary, the share of the rewrites' change that its edits leave undone."""
    table = next(iter(learnt.values())).table
    truths = [truth_of(host, table, asked, 0) for asked in some]
    found = dict[str, float]()
    for name, dictionary in learnt.items():
        made = [measured(truth, Rival(partial(edited, dictionary))) for truth in truths]
        off = sum(sum(one.off.values()) for one in made)
        found[name] = round(off / sum(sum(one.whole.values()) for one in made), 3)
    return found


def fitted(host: TextHost, table: ConceptTable) -> dict[str, Dictionary]:
    """Fit to full prompts alone, and to some short ones too."""
    found = dict[str, Dictionary]()
    for name, config in {"full alone": CaptureConfig(PROMPTS, brief=0.0), "short too": CaptureConfig(PROMPTS)}.items():
        plan = plan_text(table, host, config, wording_of(table))
        with tempfile.TemporaryDirectory() as folder:
            found[name] = fit_dictionary(capture_text(host, Path(folder, "capture"), plan))
    return found


def rows(host: TextHost, learnt: Mapping[str, Dictionary], count: int) -> dict[str, dict[str, float]]:
    """Return edit and number of concepts → dictionary → share undone."""
    table, found = next(iter(learnt.values())).table, dict[str, dict[str, float]]()
    for kind in KINDS:
        for said in SAID:
            name = f"{kind.__name__.lower()}, {said} said"
            found[name] = undone(host, learnt, cases(table, host, kind, said, count))
            print(name, found[name], flush=True)
    return found


def pictures(learnt: Mapping[str, Dictionary], count: int) -> dict[str, dict[str, int]]:
    """Return prompt → who → in how many of so many pictures what was asked for is read."""
    models, found = studio.quickened(studio.load_studio()), dict[str, dict[str, int]]()
    for text, (concept, rewrite) in TEXTS.items():
        category, value = concept.split(": ")
        (cond, told), (pooled, vector) = models.host.encode([text, rewrite])
        made = {name: apply(one, cond, pooled, (Swap(concept),)) for name, one in learnt.items()}
        sets = {name: (one.cond, one.pooled) for name, one in made.items()} | {"rewrite": (told, vector)}
        found[text] = {}
        for name, (own, whole) in sets.items():
            drawn = studio.draw_portraits(models, [own] * count, [whole] * count, range(count))
            found[text][name] = sum(one[category] == value for one in studio.read_portraits(models, drawn))
        print(text, found[text], flush=True)
    return found


def main() -> None:
    """Parse the command line, measure, write and print."""
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--cases", type=int, default=40, help="edits of each kind and number (default: 40)")
    parser.add_argument("--pictures", type=int, default=48, help="pictures of each prompt (default: 48)")
    args = parser.parse_args()
    found: dict[str, object] = {"prompts": PROMPTS, "cases": args.cases, "pictures of each": args.pictures}
    worlds: dict[str, tuple[TextHost, ConceptTable]] = {
        "portraits": (PortraitsText(), captions.table()), "minilm": (OWN["minilm"](None), photographs()),
    }  # fmt: skip
    for name, (host, table) in worlds.items():
        learnt = fitted(host, table)
        found[name] = rows(host, learnt, args.cases)
        if name == "portraits":
            found["pictures"] = pictures(learnt, args.pictures)
    writing.write(found, args.out)


if __name__ == "__main__":
    main()
