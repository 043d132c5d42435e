"""The geometry of codes, paper's solver and ours: ``python benchmarks/code_geometry.py`` (two minutes, no pictures).

Writes ``docs/codes.png`` and ``results/code_geometry.json``, which docs/method.md quotes. Per encoder of Portraits: the
cosines between the codes of all concepts, a category's codes about their mean. Of n codes whose angles are those of a
simplex every two have the cosine −1 / (n − 1); how far the cosines are from it is measured pair by pair, since their
mean is nearly that by centring alone.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import shared
import torch
import writing
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from supsae.drawing.codes import FAINT, INK, PAPER, colours, cosine_matrix
from supsae.hosts.embedded import PortraitsText
from supsae.portraits import captions
from supsae.supsae_core.capture.statistics import Statistics
from supsae.supsae_core.table.concepts import ConceptTable
from supsae.training import gather
from supsae.training.solvers import adam, exact, width
from supsae.training.solvers.choose import choose
from supsae.training.solvers.effects import Effects, effects
from supsae.training.solvers.groups import Groups
from supsae.training.solvers.held_out import base_over, error_over, folds_of, origin_of

WIDTH = 64
PANELS = {
    "adam, before": "adam, before its first step",
    "adam, after": "adam, after its last step",
    "features": "exact, before: the encoder's features",
    "exact": "exact, after: codes",
}
"""What is drawn; the rest is in numbers alone."""
CELL, GAP, TITLE, NAMES = 12, 24, 22, 84
"""Pixels of a cosine, between panels, of a title, and of the categories' names."""


class Geometry(NamedTuple):
    """What the cosines of codes say."""

    off_simplex: float
    """root mean square, over the pairs within categories of three values or more, of cosine + 1 / (n − 1)"""
    mean_off: float
    """their mean"""
    norms: float
    """standard deviation of the lengths within a category, as a share of their mean"""
    across: float
    """root mean square of the cosines between concepts of different categories"""


def geometry(codes: Tensor, table: ConceptTable) -> Geometry:
    """Measure centred codes (K, r)."""
    cosines, lengths = cosine_matrix(codes), codes.norm(dim=1)
    category = torch.tensor(table.category_of)
    off, norms = [], []
    for members in table.categories.values():
        if len(members) > 2:  # two centred codes are opposite, whatever they are
            own = cosines[list(members)][:, list(members)] + 1 / (len(members) - 1)
            off.append(own[~torch.eye(len(members), dtype=torch.bool)])
            norms.append(lengths[list(members)].std() / lengths[list(members)].mean())
    every, across = torch.cat(off), cosines[category[:, None] != category]
    return Geometry(*(round(float(x), 3) for x in (rms(every), every.mean(), torch.stack(norms).mean(), rms(across))))


def rms(x: Tensor) -> Tensor:
    """Return the root mean square, a scalar."""
    return x.square().mean().sqrt()


def of_concepts(constant: Tensor, lengths: Tensor, table: ConceptTable) -> Tensor:
    """Return, of vectors (S, T, r) of slots' tokens, each concept's (K, r): its first phrase's about its category's."""
    made = torch.stack([constant[slot, : int(lengths[slot])].mean(0) for slot in table.first_phrase])
    for members in table.categories.values():
        made[list(members)] -= made[list(members)].mean(0)
    return made


def codes_of(statistics: Statistics, groups: Groups, table: ConceptTable) -> dict[str, Tensor]:
    """Return the centred codes (K, ·) of one encoder's concepts, kind by kind."""
    total, lengths = statistics.total(), statistics.lengths
    found: dict[str, Tensor] = {}
    wanted = adam.targets(total, groups)
    for seed in (0, 1):
        config = adam.AdamConfig(rank=WIDTH, seed=seed)
        label = f"adam{'' if not seed else ', another seed'}"
        found[f"{label}, before"] = of_concepts(adam.start(wanted, config).constant, lengths, table)
        learnt = adam.learn(wanted, config)
        found[f"{label}, after"] = of_concepts(learnt.constant, lengths, table)
        found[f"{label}, decoded"] = of_concepts(adam.decoded(learnt, wanted).mean, lengths, table)
    fitted = effects(statistics, groups, choose(statistics, groups, exact.EXACT))
    origin = origin_of(total, groups.judged)
    found["features"] = of_concepts(fitted.mean - origin, lengths, table)
    used = width.weights_of(statistics)
    weights = used, used.square().mean(0).sqrt()
    rows = torch.cat(width.weighted(fitted, total, origin, *weights))
    _, size, across = torch.linalg.svd(rows, full_matrices=False)
    found["exact"] = found["features"] @ across[:WIDTH].T
    found["exact, balanced"] = found["exact"] / size[:WIDTH].sqrt()
    return {name: codes.float() for name, codes in found.items()}


def left(statistics: Statistics, groups: Groups) -> dict[str, float]:
    """Return what every solver leaves of the context at ``WIDTH``, held out (fvu_slot)."""
    solved = {"exact": exact.exact(statistics, groups, exact.ExactConfig(rank=WIDTH)).measured}
    solved["adam"] = adam.adam(statistics, groups, adam.AdamConfig(rank=WIDTH)).measured
    found = {name: one["fvu_slot"] for name, one in solved.items()}
    found["exact, every direction"] = solved["exact"]["fvu_slot_full_rank"]
    found["exact, metric of all rows"] = in_the_metric(statistics, groups)
    return {name: round(value, 3) for name, value in found.items()}


def in_the_metric(statistics: Statistics, groups: Groups) -> float:
    """Return what is left with the directions that lose least of all rows, pads and fillers too, in training.

    They weigh the effects on a slot by the square root of its labels' gram, once a token.
    """
    folds, total = folds_of(statistics), statistics.total()
    ridges, origin = choose(statistics, groups, exact.EXACT), origin_of(total, groups.judged)
    fitted = effects(statistics, groups, ridges)
    values, vectors = torch.linalg.eigh(total.centred()[0] * total.lengths[:, None, None])
    root = vectors * values.clamp(min=0).sqrt()[:, None] @ vectors.mT
    means = ((fitted.mean - origin) * total.count.sqrt()[:, None, None])[total.valid]
    rows = torch.cat([means, (root @ fitted.of(groups.of)).flatten(0, 1)])
    decoder = torch.linalg.svd(rows, full_matrices=False).Vh[:WIDTH]
    narrow = [narrowed(effects(statistics, groups, ridges, fold), decoder, origin) for fold in range(len(folds))]
    return error_over(folds, narrow, groups).left / base_over(folds, groups)


def narrowed(fitted: Effects, decoder: Tensor, origin: Tensor) -> Effects:
    """Return a fit as codes would give it back, of a decoder (r, d) with orthonormal rows about an origin (d,)."""
    across = decoder.T @ decoder
    valid = (fitted.mean != 0).any(-1, keepdim=True)
    mean = torch.where(valid, origin + (fitted.mean - origin) @ across, 0)
    return Effects(mean, fitted.shared @ across, fitted.own @ across)


def picture(codes: Mapping[str, Tensor], table: ConceptTable) -> Image.Image:
    """Draw the cosines of ``PANELS``, two a row; lines part the categories."""
    side = CELL * len(table)
    whole = Image.new("RGB", (NAMES + 2 * (side + GAP), 2 * (side + TITLE + GAP)), PAPER)
    pen, font, small = ImageDraw.Draw(whole), ImageFont.load_default(14), ImageFont.load_default(12)
    for number, (name, title) in enumerate(PANELS.items()):
        left, top = NAMES + number % 2 * (side + GAP), GAP // 2 + number // 2 * (side + TITLE + GAP)
        measured = geometry(codes[name], table)
        pen.text((left, top - 6), f"{title}: {measured.off_simplex:.2f} off a simplex", INK, font)
        cells = Image.fromarray(colours(cosine_matrix(codes[name])).numpy())
        whole.paste(cells.resize((side, side), Image.Resampling.NEAREST), (left, top + TITLE))
        for category, members in table.categories.items():
            at = CELL * members[0]
            if number % 2 == 0:
                pen.text((left - 8, top + TITLE + at + 2), category, INK, small, anchor="ra")
            pen.line([(left + at, top + TITLE), (left + at, top + TITLE + side)], FAINT)
            pen.line([(left, top + TITLE + at), (left + side, top + TITLE + at)], FAINT)
        pen.rectangle([left, top + TITLE, left + side, top + TITLE + side], outline=INK)
    return whole


def main() -> None:
    """Capture, fit, measure, write and print."""
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--picture", type=Path, default=Path(__file__).parents[1] / "docs" / "codes.png")
    args = parser.parse_args()
    table, host = captions.table(), PortraitsText()
    with tempfile.TemporaryDirectory() as folder:
        made = shared.captured(host, Path(folder))
        gathered, groups = gather.gather(made, made.read(), "fit"), gather.groups(made)
        statistics = {name: one.whole() for name, one in gathered.items()}
    found: dict[str, object] = {"prompts": shared.PROMPTS, "width": WIDTH}
    for encoder in made.plan.family.encoders:
        codes = codes_of(statistics[encoder.name], groups, table)
        found[encoder.name] = {
            "codes": {name: geometry(one, table)._asdict() for name, one in codes.items()},
            "cosines of two seeds apart": {kind: apart(codes, kind) for kind in ("after", "decoded")},
            "left of the context": left(statistics[encoder.name], groups),
        }
        picture(codes, table).save(args.picture)  # the last encoder's stays
    writing.write(found, args.out)


def apart(codes: Mapping[str, Tensor], kind: str) -> float:
    """Return how far the cosines of two runs of Adam are apart, root mean square."""
    one, other = (cosine_matrix(codes[f"{run}, {kind}"]) for run in ("adam", "adam, another seed"))
    return round(float(rms(one - other)), 3)


if __name__ == "__main__":
    main()
