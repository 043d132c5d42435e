"""How well Portraits draws what a prompt says: ``python benchmarks/quality.py`` writes ``results/quality.json``.

Fresh prompts of free wording (paraphrases included), fixed seeds; the reader judges every mentioned attribute.
"""

from collections import defaultdict

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


def measure(count: int, steps: int, cfg: float) -> dict[str, object]:
    """Draw ``count`` prompts and return the share of mentioned attributes read right, per category and in all."""
    rng = np.random.default_rng(SEED)
    wanted = [scene.sample_factors(rng) for _ in range(count)]
    prompts = [captions.caption(factors, rng) for factors in wanted]
    models = studio.load_studio()
    conds, pooled = models.host.encode([prompt.text for prompt in prompts])
    with tqdm(total=count, desc="pictures") as bar:
        pictures = studio.draw_portraits(
            models, conds, pooled, [SEED + i for i in range(count)], steps=steps, cfg=cfg,
            progress=lambda done, _: bar.update(done - bar.n) and None,
        )  # fmt: skip
    right: dict[str, list[bool]] = defaultdict(list)
    unreadable = 0
    for prompt, values in zip(prompts, studio.read_portraits(models, pictures), strict=True):
        unreadable += sum(value == UNREADABLE for value in values.values())
        for index in prompt.support(captions.full_table()):
            concept = captions.full_table().concepts[index]
            right[concept.category].append(values[concept.category] == concept.name)
    rows = {name: share(one)._asdict() for name, one in right.items()}
    every = [answer for one in right.values() for answer in one]
    return {
        "prompts": count, "steps": steps, "cfg": cfg, "seed": SEED, "unreadable": unreadable / (count * len(rows)),
        "all": share(every)._asdict(), "worst": min(rows, key=lambda n: rows[n]["estimate"]),
        "categories": rows,
    }  # fmt: skip


def main() -> None:
    """Parse the command line, measure, write and print."""
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--count", type=int, default=512, help="prompts")
    parser.add_argument("--steps", type=int, default=16, help="sampler steps")
    parser.add_argument("--cfg", type=float, default=3.0, help="guidance")
    args = parser.parse_args()
    torch.manual_seed(0)
    writing.write({"reader": check_reader(args.count), **measure(args.count, args.steps, args.cfg)}, args.out)


if __name__ == "__main__":
    main()
