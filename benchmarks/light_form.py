"""What the light form of a dictionary costs, which a workflow carries: ``python benchmarks/light_form.py``; writes
``benchmarks/results/light_form.json``.

Portraits' own dictionary, and tables of photographs on all-MiniLM-L6-v2 with 300 encodings: the share of a rewrite's
change that edits leave undone, what is read, and of Portraits the pictures of swaps into unseen pairs.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import writing

from supsae.evaluation.cases import World
from supsae.evaluation.pictures import run, splits
from supsae.evaluation.pictures.bench import Way
from supsae.evaluation.pictures.methods import OURS, Methods, by_dictionary
from supsae.evaluation.pictures.parts import Size, compared, figures
from supsae.evaluation.pictures.renderer import diffusers_renderer
from supsae.evaluation.results import Hooks
from supsae.evaluation.text import photographs
from supsae.evaluation.text.asked import Counts, draw_asked
from supsae.evaluation.text.figures import categories_read, of_reading, of_splits
from supsae.evaluation.text.metrics import plain
from supsae.evaluation.text.rivals import Rival
from supsae.evaluation.text.rows import measured, truths
from supsae.hosts.diffusers import studio
from supsae.hosts.diffusers.encoder import minilm
from supsae.hosts.embedded import PortraitsText
from supsae.portraits import captions
from supsae.portraits.paths import DICTIONARY
from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary
from supsae.supsae_core.dictionary.light import light_forms, write_light
from supsae.supsae_core.dictionary.model import Dictionary
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.host import TextHost
from supsae.supsae_core.table import prompts
from supsae.supsae_core.table.parsing import table_from_mapping
from supsae.training.capture import CaptureConfig, capture_text, plan_text
from supsae.training.fit import fit_dictionary

SEED = 77
COUNTS = Counts(swaps=48, others=8, several=0)
LIGHT, LEVELS = "light form", "levels alone"
FEW = {"hair": 4, "clothing": 4, "weather": 4}
"""Categories of photographs → concepts, of a table that somebody makes."""


def forms(file: Path) -> Iterator[tuple[str, int, Dictionary]]:
    """Yield name, bytes and dictionary of a file, of its light form if there is one, and of the lightest."""
    whole = load_dictionary(file)
    yield OURS, file.stat().st_size, whole
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "light.safetensors"
        if write_light(file, made):
            yield LIGHT, made.stat().st_size, load_dictionary(made)
        *_, bare = light_forms(whole, file.stat().st_size)
        save_dictionary(bare, made)
        yield LEVELS, made.stat().st_size, load_dictionary(made)


def rival(dictionary: Dictionary) -> Rival:
    return Rival(lambda asked, before, _: apply(dictionary, before.cond, None, asked.case.edits).cond)


def judged(host: TextHost, file: Path, world: World) -> dict[str, Any]:
    """Measure rows and reading of every form on the same cases."""
    made = {name: (size, dictionary) for name, size, dictionary in forms(file)}
    asked, _ = draw_asked(world, host, COUNTS, SEED)
    known, swaps = list(truths(host, world.table, asked)), sum("pairs" in one.split for one in asked)
    rows = {name: [measured(one, rival(own)) for one in known] for name, (_, own) in made.items()}
    errors = of_splits([one.split for one in asked], rows)["all swaps"]
    return {
        name: {"bytes": size, "landmarks": landmarks(own), "swaps": swaps, **errors[name]}
        | {"reading": of_reading(chain.from_iterable(categories_read(own, one.before) for one in known))}
        for name, (size, own) in made.items()
    }


def landmarks(dictionary: Dictionary) -> Mapping[str, Sequence[int]]:
    parts = {name: (one.rest, one.phrase) for name, one in dictionary.operators.items()}
    return {name: [0 if one is None else len(one.weights) for one in both] for name, both in parts.items()}


def photographed(host: TextHost, few: bool) -> dict[str, Any]:
    known = photographs.table().to_json()
    some = {name: dict(list(known[name].items())[:count]) for name, count in FEW.items()} if few else known
    table, wording = table_from_mapping(some), photographs.WORDING
    held_out = prompts.hold_out_pairs(table, 0.1, SEED)
    plan = plan_text(table, host, CaptureConfig(prompts=300, mention=0.6, seed=SEED), wording, held_out)
    world = World(table, held_out, frozenset(one.prompt.text for one in plan.entries), wording=wording, mention=0.6)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "whole.safetensors"
        save_dictionary(fit_dictionary(capture_text(host, Path(folder) / "capture", plan)), file)
        return judged(host, file, world)


def drawn(count: int, folder: Path) -> dict[str, Any]:
    """Draw swaps into unseen pairs by the whole file and by its light form."""
    models = studio.quickened(studio.load_studio())
    config, quiet = run.EvalConfig(own_counts=Size(headline=count)), Hooks(print, lambda *_: lambda done: None)
    made = {name: own for name, _, own in forms(DICTIONARY) if name != LEVELS}
    whole = made[OURS]
    bench = run.prepared(whole, diffusers_renderer(models), folder, config, models.host, quiet, None)
    # The gallery tells methods by their codes, which are nearly the same: the name has to part them.
    edits = {name: by_dictionary(own)._replace(name=f"{name}, light form's benchmark") for name, own in made.items()}
    bench = replace(bench, methods=Methods(models.host, edits))
    found, _ = bench.judge(splits.draw(bench.headline, bench.world, count, config.seed), [Way(name) for name in made])
    told = {str(way): figures(bench.world.table, own) for way, own in found.items()}
    return {**told, f"{LIGHT} minus {OURS}": compared(found[Way(LIGHT)], found[Way(OURS)])}


def main() -> None:
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--pictures", type=int, default=256, help="swaps to draw, 0 for none")
    args = parser.parse_args()
    held_out = frozenset(frozenset(one) for one in load_dictionary(DICTIONARY).provenance["held_out"])
    world = World(captions.table(), held_out, wording=captions.WORDING, mention=0.6)
    found = {"Portraits": judged(PortraitsText(), DICTIONARY, world)}
    host = minilm()
    found |= {
        "photographs, 12 concepts": photographed(host, True),
        "photographs, 48 concepts": photographed(host, False),
    }
    with tempfile.TemporaryDirectory() as folder:
        found |= {"pictures": drawn(args.pictures, Path(folder))} if args.pictures else {}
    writing.write(plain(found), args.out)


if __name__ == "__main__":
    main()
