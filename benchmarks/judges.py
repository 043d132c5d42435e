"""How far the judges can be trusted: ``python benchmarks/judges.py`` writes ``results/judges.json``.

The two readers on fresh renders, on half-and-half blends that differ in one value, and on generated pictures; the
artifact score on renders, on generated pictures, on planted damage, and on pictures of an edit that is far too strong.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import torch
import writing
from torch import Tensor
from tqdm import tqdm

from supsae.evaluation.intervals import share
from supsae.hosts.diffusers import studio
from supsae.portraits import artifacts, captions, reader, scene, second_reader
from supsae.portraits.make import corpus, damage
from supsae.portraits.reader import UNREADABLE
from supsae.portraits.vae import AutoEncoder

SEED = 40404
READERS = {"first": reader.load_reader, "second": second_reader.load_second_reader}
ROWS = 48
"""Rows of one encoder's chunk."""


def shared(answers: Sequence[bool]) -> dict[str, float]:
    """Return how often the answer is yes, with its interval."""
    return share(answers)._asdict()


def drawn(factors: Sequence[dict[str, str]], rng: np.random.Generator) -> Tensor:
    """Draw renders and pass them through the auto-encoder."""
    vae = corpus.load_weights("vae/supsae_portraits_vae", AutoEncoder(), torch.device("cpu"))
    pixels = corpus.pixels_of(np.stack([scene.draw_portrait(one, scene.Nuisance.sample(rng)) for one in factors]))
    with torch.no_grad():
        return torch.cat([vae.decode(vae.encode(some)).clamp(0, 1) for some in tqdm(pixels.split(4), desc="renders")])


def check_readers(pictures: Tensor, wanted: Sequence[dict[str, str]]) -> dict[str, object]:
    """Return, per reader, how many values are read right."""
    return {
        name: shared([one[c] == w[c] for one, w in zip(read(load(), pictures), wanted, strict=True) for c in w])
        for name, load in READERS.items()
    }


def check_blends(count: int, rng: np.random.Generator) -> dict[str, object]:
    """Return, per category and reader, how often a blend is unreadable: ``count`` for every two values."""
    found: dict[str, object] = {}
    for category, values in scene.FACTORS.items():
        blends = []
        for a, b in itertools.combinations(values, 2):
            for _ in range(count):
                factors, nuisance = scene.sample_factors(rng), scene.Nuisance.sample(rng)
                both = [scene.draw_portrait({**factors, category: value}, nuisance) for value in (a, b)]
                blends.append(np.stack(both).mean(0))
        pictures = corpus.pixels_of(np.stack(blends))
        own = {}
        for name, load in READERS.items():
            own[name] = shared([one[category] == UNREADABLE for one in read(load(), pictures)])
        found[category] = own
    return found


def compare(pictures: Tensor) -> dict[str, object]:
    """Return how often the readers agree on what both can read, and how often each can read."""
    first, second = (read(load(), pictures) for load in READERS.values())
    pairs = [(a[c], b[c]) for a, b in zip(first, second, strict=True) for c in a]
    return {
        "agree where both read": shared([a == b for a, b in pairs if UNREADABLE not in (a, b)]),
        "agree where the first reads": shared([a == b for a, b in pairs if a != UNREADABLE]),
        "unreadable to the first": shared([a == UNREADABLE for a, _ in pairs]),
        "unreadable to the second": shared([b == UNREADABLE for _, b in pairs]),
    }


def generated(count: int, strong: int) -> tuple[Tensor, Tensor]:
    """Draw fresh prompts, and the first of them with red hair written three times too strongly into every row."""
    rng = np.random.default_rng(SEED)
    texts = [captions.caption(scene.sample_factors(rng), rng, longest=40).text for _ in range(count)]
    models = studio.quickened(studio.load_studio())
    conds, pooled = models.host.encode(texts)
    red = models.host.encode([f"red hair, {text}" for text in texts])
    black = models.host.encode([f"black hair, {text}" for text in texts])
    step = 3 * (_mean(red[0]) - _mean(black[0]))
    everything = [*conds, *(cond + step for cond in conds[:strong])]
    seeds = [SEED + index for index in [*range(count), *range(strong)]]
    with tqdm(total=len(everything), desc="pictures") as bar:
        made = studio.draw_portraits(
            models, everything, [*pooled, *pooled[:strong]], seeds,
            progress=lambda done, _: bar.update(done - bar.n) and None,
        )  # fmt: skip
    pixels = corpus.pixels_of(made)
    return pixels[:count], pixels[count:]


def _mean(conds: Sequence[Tensor]) -> Tensor:
    """Average the rows of conditionings, each encoder's apart, and repeat them for every row."""
    rows = torch.stack(list(conds)).mean(0)
    return torch.cat([part.mean(0, keepdim=True).expand(len(part), -1) for part in rows.split(ROWS)])


def read(one: reader.Reader | second_reader.SecondReader, pictures: Tensor) -> list[dict[str, str]]:
    return [values for some in pictures.split(64) for values in one.read(some)]


def measure(count: int) -> dict[str, object]:
    """Measure everything on ``count`` renders and as many generated pictures, a quarter of them edited too strongly."""
    rng = np.random.default_rng(SEED)
    wanted = [scene.sample_factors(rng) for _ in range(count)]
    renders, (made, strong) = drawn(wanted, rng), generated(count, count // 4)
    judge = artifacts.load_artifacts()
    caught = lambda pictures: shared(judge.is_artifact(pictures).tolist())  # noqa: E731
    return {
        "count": count,
        "renders read right": check_readers(renders, wanted),
        "blends unreadable": check_blends(max(1, count // 16), rng),
        "generated": compare(made),
        "artifacts": {
            "renders": caught(renders), "generated": caught(made), "edited three times too strongly": caught(strong),
            **{f"generated, {name}": caught(plant(made, rng)) for name, plant in damage.PLANTED.items()},
        },
    }  # fmt: skip


def main() -> None:
    """Parse the command line, measure, write and print."""
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--count", type=int, default=512, help="pictures of each kind")
    args = parser.parse_args()
    torch.manual_seed(0)
    writing.write(measure(args.count), args.out)


if __name__ == "__main__":
    main()
