"""Concepts from pictures: a few pairs of drawn pictures as a source of an edit, beside typed poles and learnt words.
``python benchmarks/from_pictures.py``; writes ``benchmarks/results/from_pictures.json`` (some minutes of one core).

Pairs of Portraits' own drawings that differ in one thing alone are encoded, noised with one noise to the sampler's
levels and put through the model with an empty prompt. The mean difference of the image stream, a token at a time, is
what steers. Skin is in every drawing and in no caption, and "skin" is a word that the text encoders never learnt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import writing
from pole_pictures import BATCH, CONCEPTS, LEVELS, SITE, Concept, Rows, pictures, recorded, skins
from torch import Tensor

from supsae.evaluation.intervals import paired_interval
from supsae.evaluation.outcomes import Outcome, judge, shares
from supsae.hosts import locked
from supsae.hosts.diffusers import studio
from supsae.hosts.diffusers.steering import steered
from supsae.hosts.diffusers.studio import Studio
from supsae.hosts.locked import Reference
from supsae.portraits import captions, scene
from supsae.portraits.paths import DICTIONARY
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.dictionary.model import Dictionary
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.editing.steer import Moves, Where
from supsae.supsae_core.lock import LockConfig
from supsae.supsae_core.table import prompts
from supsae.supsae_core.table.concepts import ConceptTable
from supsae.training.quick import learn_quick, plan_quick, quick_table, with_others

SEED = 1811
PAIRS, TYPED = (4, 8, 16), (8, 16, 32)
"""Pairs of pictures, and pairs of prompts, of which a quick concept needs eight and takes 32 as a rule."""
STRENGTHS, TYPED_STRENGTHS = (0.15, 0.25, 0.35, 0.5, 0.7), (0.75, 1.0, 1.5)
MEAN = 3.0
"""Times which one mean for all places is put in: most of a change is in few places."""
MENTION, LONGEST = 0.6, 40
"""Chance of a category in a prompt; words and marks of a rewrite, so that all have as many rows."""
BETWEEN = 0.65
"""Skin from this tone on is read as dark."""


class Asked(NamedTuple):
    """One picture to change."""

    prompt: str
    rewrite: str
    seed: int


def read(models: Studio, some: np.ndarray, concept: Concept) -> list[dict[str, str]]:
    """Return what pictures show; of skin only where it is asked for."""
    found = studio.read_portraits(models, some)
    if concept.category in scene.FACTORS:
        return found
    tones = ("dark" if tone >= BETWEEN else "light" for tone in skins(some))
    return [{**one, concept.category: tone} for one, tone in zip(found, tones, strict=True)]


def asked_of(concept: Concept, rng: np.random.Generator) -> Asked:
    """Draw a prompt that says the low pole as it is typed, where captions have words for it, and its rewrite."""
    table, seed = captions.table(), int(rng.integers(2**31))
    if concept.category not in scene.FACTORS:
        text = prompts.draw_prompt(table, rng, wording=captions.PLAIN, mention=MENTION).text
        return Asked(text, f"{text}, {concept.poles[1]}", seed)
    low, high = (table.index(f"{concept.category}: {one}") for one in (concept.low, concept.high))
    drawn = prompts.draw_prompt(table, rng, wording=captions.PLAIN, mention=MENTION, require=[low])
    prompt = prompts.rewrite(table, drawn, low, low)  # in the concept's first phrase, which is the pole
    return Asked(prompt.text, prompts.rewrite(table, prompt, low, high).text, seed)


def cases_of(models: Studio, concept: Concept, count: int, rng: np.random.Generator) -> list[Asked]:
    """Draw cases of one length, in whose unedited pictures skin is not dark already."""
    found = list[Asked]()
    while len(found) < count:
        some = [asked_of(concept, rng) for _ in range(BATCH)]
        some = [one for one in some if prompts.length(one.rewrite) <= LONGEST]
        if concept.category not in scene.FACTORS:
            shown = skins(draw(models, some, encoded(models, [one.prompt for one in some])))
            some = [one for one, tone in zip(some, shown, strict=True) if tone < BETWEEN]
        found += some
    return found[:count]


def encoded(models: Studio, texts: Sequence[str]) -> list[Rows]:
    """Encode texts."""
    return list(zip(*models.host.encode(texts), strict=True))


def by_words(dictionary: Dictionary, rows: Sequence[Rows], concept: str, strength: float) -> list[Rows]:
    """Swap to a concept; what is refused stays as it is."""
    made = list[Rows]()
    for cond, pooled in rows:
        try:
            own = apply(dictionary, cond, pooled, [Swap(concept, strength)])
            made.append((own.cond, pooled if own.pooled is None else own.pooled))
        except ValueError:
            made.append((cond, pooled))
    return made


def draw(models: Studio, some: Sequence[Asked], rows: Sequence[Rows], held: Reference | None = None) -> np.ndarray:
    """Draw cases, under the Lock where there is what to hold them to."""
    conds, pooled = (list(own) for own in zip(*rows, strict=True))
    pictures = partial(studio.draw_portraits, models, batch=BATCH)
    if held:
        return locked.hold(pictures, conds, pooled, held, LockConfig()).pictures
    return pictures(conds, pooled, [one.seed for one in some])


class Scene:
    """Cases of one concept, drawn unedited, and how their edits are drawn and judged."""

    def __init__(self, models: Studio, words: Dictionary, concept: Concept, cases: Sequence[Asked]) -> None:
        self.models, self.words, self.concept, self.cases = models, words, concept, cases
        self.rows = encoded(models, [one.prompt for one in cases])
        pictures = partial(studio.draw_portraits, models, batch=BATCH)
        self.plain = locked.reference(pictures, *zip(*self.rows, strict=True), [one.seed for one in cases])  # type: ignore[arg-type]
        self.before = read(models, self.plain.pictures, concept)

    def judged(self, some: np.ndarray) -> list[Outcome]:
        """Judge pictures of all cases."""
        wanted, after = {self.concept.category: self.concept.high}, read(self.models, some, self.concept)
        return [judge(was, now, wanted) for was, now in zip(self.before, after, strict=True)]

    def told(self, rows: Sequence[Rows], lock: bool = False) -> list[Outcome]:
        """Judge what other rows draw."""
        return self.judged(draw(self.models, self.cases, rows, self.plain if lock else None))

    def shown(self, step: Tensor, lock: bool = False) -> list[Outcome]:
        """Judge what a step (levels, tokens or 1, d) of the image stream draws."""
        sampled = {**self.words.provenance, "sampling": {"width": scene.SIZE, "height": scene.SIZE}}
        ground, made = replace(self.words, centres=LEVELS, provenance=sampled), list[np.ndarray]()
        for start in range(0, len(self.cases), BATCH):
            some = range(start, min(start + BATCH, len(self.cases)))
            moves = [Moves(None, None, {SITE: step})] * len(some)
            cases, rows = self.cases[start : some.stop], self.rows[start : some.stop]
            with steered(self.models.transformer, ground, moves, Where((SITE,))):
                made.append(draw(self.models, cases, rows, self.plain.at(some) if lock else None))
        return self.judged(np.concatenate(made))


def best(found: Mapping[float, Sequence[Outcome]]) -> float:
    """Return the strength at which most is as asked with all else kept; of equal ones what shows more, then less."""
    return max(found, key=lambda one: (sum(x.both for x in found[one]), sum(x.success for x in found[one]), -one))


def measure(models: Studio, concept: Concept, count: int, known: int, place: int) -> dict[str, Any]:
    """Return the strengths chosen for a concept and what became of its cases, way by way."""
    rng = np.random.default_rng((SEED, place))
    words, poles = load_dictionary(DICTIONARY), with_others(quick_table(*concept.poles), captions.WORDING)
    typed = _typed(models, poles)
    steps = {f"pictures, {pairs} pairs": recorded(models, pictures(concept, pairs, rng)) for pairs in PAIRS}
    most = f"pictures, {PAIRS[-1]} pairs"
    steps[f"pictures, {PAIRS[-1]} a pole, unpaired"] = recorded(models, pictures(concept, PAIRS[-1], rng, False))
    steps[f"{most}, one mean for all places"] = steps[most].mean(1, keepdim=True) * MEAN
    trial, trying = (Scene(models, words, concept, cases_of(models, concept, number, rng)) for number in (count, known))

    high = str(poles.concepts[1])
    said = best({one: trying.told(by_words(typed[PAIRS[-1]], trying.rows, high, one)) for one in TYPED_STRENGTHS})
    seen = best({one: trying.shown(one * steps[most]) for one in STRENGTHS})
    made = {"no edit": trial.judged(trial.plain.pictures)}
    made["prompt rewrite"] = trial.told(encoded(models, [one.rewrite for one in trial.cases]))
    own = f"{concept.category}: {concept.high}"
    if concept.category in scene.FACTORS:
        made["learnt words"] = trial.told(by_words(words, trial.rows, own, 1.0))
    for pairs, learnt in typed.items():
        made[f"typed poles, {pairs} pairs"] = trial.told(by_words(learnt, trial.rows, high, said))
    for name, step in steps.items():
        made[name] = trial.shown(seen * step)
    for pairs in (PAIRS[-1], TYPED[-1]):
        edited = by_words(typed[pairs], trial.rows, high, said)
        made[f"typed poles, {pairs} pairs + lock"] = trial.told(edited, lock=True)
    made[f"{most} + lock"] = trial.shown(seen * steps[most], lock=True)
    print(concept.category, {name: sum(x.both for x in some) for name, some in made.items()}, flush=True)
    return {"strength typed": said, "strength pictures": seen, "made": made}


def _typed(models: Studio, poles: ConceptTable) -> dict[int, Dictionary]:
    """Return pairs → what is learnt from so many pairs of prompts, worded as Quick Concept words them for Portraits."""
    host = models.host
    return {pairs: learn_quick(plan_quick(poles, host, pairs, captions.WORDING), host) for pairs in TYPED}


def told(found: Mapping[str, Sequence[Outcome]]) -> dict[str, Any]:
    """Return way → its shares, and what pictures have before typed poles, paired."""
    rows: dict[str, Any] = {
        way: {name: one.json() for name, one in shares(some).items()} for way, some in found.items()
    }
    for lock in ("", " + lock"):
        one, other = (found[f"{name}, {PAIRS[-1]} pairs{lock}"] for name in ("pictures", "typed poles"))
        for part in ("success", "all_kept", "both"):
            own = paired_interval([getattr(x, part) for x in one], [getattr(x, part) for x in other]).json()
            rows.setdefault(f"pictures less typed poles{lock}", {})[part] = own
    return rows


def main() -> None:
    """Parse the command line, measure, write and print."""
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--cases", type=int, default=20, help="of each concept")
    parser.add_argument("--known", type=int, default=8, help="further cases that strengths are chosen on")
    args = parser.parse_args()
    models = studio.quickened(studio.load_studio())
    some = {one.category: measure(models, one, args.cases, args.known, at) for at, one in enumerate(CONCEPTS)}
    made = {name: own.pop("made") for name, own in some.items()}
    worded = [own for name, own in made.items() if name in scene.FACTORS]
    together = {way: [x for own in worded for x in own[way]] for way in worded[0]}
    found = {"chosen": some, "with words": told(together)}
    writing.write(found | {name: told(own) for name, own in made.items()}, args.out)


if __name__ == "__main__":
    main()
