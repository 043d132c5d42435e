"""How well Portraits draws what a prompt says: ``python benchmarks/quality.py`` writes ``results/quality.json``.

Fresh prompts of free wording (paraphrases included), fixed seeds; the reader judges every mentioned attribute.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
import writing
from torch.nn import functional as F
from tqdm import tqdm

from supsae.evaluation.intervals import share
from supsae.hosts.diffusers import studio
from supsae.portraits import captions, reader, scene
from supsae.portraits.make import corpus
from supsae.portraits.reader import UNREADABLE
from supsae.portraits.vae import AutoEncoder

SEED = 20260
FULL = captions.full_table()


def check_reader(count: int) -> dict[str, object]:
    """Read fresh renders passed through the auto-encoder, as they are, blurred and noisy: share of values right."""
    rng = np.random.default_rng(SEED + 1)
    wanted = [scene.sample_factors(rng) for _ in range(count)]
    drawn = [np.asarray(scene.draw_portrait(factors, scene.Nuisance.sample(rng))) for factors in wanted]
    device = torch.device("cpu")
    vae = corpus.load_weights("vae/supsae_portraits_vae", AutoEncoder(), device)
    pixels = corpus.pixels_of(np.stack(drawn))
    with torch.no_grad():
        made = torch.cat([vae.decode(vae.encode(some)).clamp(0, 1) for some in tqdm(pixels.split(16), desc="reader")])
    psnr = -10 * (made - pixels).square().mean((1, 2, 3)).log10()
    small = F.interpolate(made, scale_factor=0.7, mode="bilinear", antialias=True)
    blurred = F.interpolate(small, size=made.shape[-2:], mode="bilinear")
    noisy = (made + 0.03 * torch.randn(made.shape, generator=torch.Generator().manual_seed(SEED))).clamp(0, 1)
    eyes = reader.load_reader()
    found: dict[str, object] = {"renders": count, "psnr_db": float(psnr.mean())}
    for name, pictures in {"plain": made, "blurred": blurred, "noisy": noisy}.items():
        values = [one for some in pictures.split(64) for one in eyes.read(some)]
        right = [one[c] == w[c] for one, w in zip(values, wanted, strict=True) for c in w]
        found[name] = share(right)._asdict()
    return found


class Drawer(NamedTuple):
    """How every picture is drawn."""

    models: studio.Studio
    steps: int
    cfg: float

    def read(self, texts: Sequence[str], people: int) -> list[dict[str, str]]:
        """Draw texts from fixed seeds and return what is read."""
        conds, pooled = self.models.host.encode(texts)
        with tqdm(total=len(texts), desc=f"pictures of {people}") as bar:
            pictures = studio.draw_portraits(
                self.models, conds, pooled, [SEED + i for i in range(len(texts))], steps=self.steps, cfg=self.cfg,
                people=people, progress=lambda done, _: bar.update(done - bar.n) and None,
            )  # fmt: skip
        return studio.read_portraits(self.models, pictures)


def one_person(drawer: Drawer, count: int) -> dict[str, object]:
    """Draw ``count`` prompts and return the share of mentioned attributes read right, per category and in all."""
    rng = np.random.default_rng(SEED)
    prompts = [captions.caption(scene.sample_factors(rng), rng) for _ in range(count)]
    found = drawer.read([prompt.text for prompt in prompts], 1)
    right: dict[str, list[bool]] = defaultdict(list)
    for prompt, values in zip(prompts, found, strict=True):
        for index in prompt.support(FULL):
            concept = FULL.concepts[index]
            right[concept.category].append(values[concept.category] == concept.name)
    return {"unreadable": _unreadable(found), **_by_category(right)}


def two_people(drawer: Drawer, count: int) -> dict[str, object]:
    """Draw ``count`` prompts of two, up to three phrases each, and return the share of attributes read right.

    ``other`` is how often a value was the other one's, of those who are said to differ.
    """
    rng = np.random.default_rng(SEED + 2)
    people = [corpus.draw_pair(rng) for _ in range(count)]
    said = [tuple(_said(person, rng) for person in both) for both in people]
    texts = [captions.caption_of_two(FULL, _phrases(both, rng), rng, turned=rng.random() < 0.3).text for both in said]
    right, other = defaultdict[str, list[bool]](list), list[bool]()
    found = drawer.read(texts, 2)
    for values, both in zip(found, said, strict=True):
        for side, own, others in zip(reader.SIDES, both, both[::-1], strict=True):
            for category, value in own.items():
                read = values[reader.place(side, category)]
                right[category].append(read == value)
                other += [read == others[category]] if others.get(category, value) != value else []
    return {"prompts": count, "unreadable": _unreadable(found), "other": share(other)._asdict(), **_by_category(right)}


def _said(person: dict[str, str], rng: np.random.Generator) -> dict[str, str]:
    own = [name for name in person if name != "background"]
    return {str(name): person[str(name)] for name in rng.choice(own, int(rng.integers(1, 4)), replace=False)}


def _phrases(people: Sequence[dict[str, str]], rng: np.random.Generator) -> list[list[int]]:
    concepts = [[FULL.index(f"{name}: {value}") for name, value in own.items()] for own in people]
    return [
        [FULL.first_phrase[one] + int(rng.integers(len(FULL.concepts[one].phrases))) for one in own] for own in concepts
    ]


def _unreadable(found: Sequence[dict[str, str]]) -> float:
    values = [value for one in found for value in one.values()]
    return values.count(UNREADABLE) / len(values)


def _by_category(right: Mapping[str, Sequence[bool]]) -> dict[str, object]:
    rows = {name: share(one)._asdict() for name, one in right.items()}
    every = [answer for one in right.values() for answer in one]
    worst = min(rows, key=lambda name: rows[name]["estimate"])
    return {"all": share(every)._asdict(), "worst": worst, "categories": rows}


def main() -> None:
    """Parse the command line, measure, write and print."""
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--count", type=int, default=512, help="prompts of one person, and half as many of two")
    parser.add_argument("--steps", type=int, default=16, help="sampler steps")
    parser.add_argument("--cfg", type=float, default=3.0, help="guidance")
    args = parser.parse_args()
    torch.manual_seed(0)
    drawer = Drawer(studio.quickened(studio.load_studio()), args.steps, args.cfg)
    settings = {"prompts": args.count, "steps": args.steps, "cfg": args.cfg, "seed": SEED}
    made = {**one_person(drawer, args.count), "two": two_people(drawer, args.count // 2)}
    writing.write({"reader": check_reader(args.count), **settings, **made}, args.out)


if __name__ == "__main__":
    main()
