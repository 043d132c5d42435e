"""How evenly a slider moves pictures before and after it was calibrated on four seeds: on these, and on four others.

``python benchmarks/calibrated_sliders.py "swap hair: red" …`` draws one prompt of Portraits, edit by edit, and prints
of each the safe range and, as means over pictures, variation of speed, share of the largest step, and R².
"""

import sys
from collections.abc import Sequence

import torch
from torch import Tensor

from supsae.hosts.diffusers import studio
from supsae.hosts.diffusers.studio import Studio
from supsae.portraits.paths import DICTIONARY
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.dictionary.model import Dictionary
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.calibrating import calibrated
from supsae.supsae_core.editing.edits import make_edit
from supsae.supsae_core.editing.evenness import evenness

PROMPT = (
    "a portrait of a person with blond hair, long flowing locks, green eyes, no glasses, top hat, striped shirt, "
    "smiling, sandy beach"
)
EDITS = [
    "swap hair: red", "swap hair: black", "swap background: snow", "swap expression: sad", "swap haircut: short",
    "swap eyewear: glasses", "swap clothing: suit", "swap eyes: blue", "remove hat: top hat",
]  # fmt: skip
WITHIN = tuple(i / 8 for i in range(9))
BEYOND = (-0.5, -0.25, 1.25, 1.5)
SEEDS, OTHERS = (1, 2, 3, 4), (11, 12, 13, 14)


def drawn(models: Studio, dictionary: Dictionary, edit: str, at: Sequence[float], seeds: Sequence[int]) -> Tensor:
    """Return pictures (positions, seeds, H, W, 3) in 0 … 1."""
    (cond,), (pooled,) = models.host.encode([PROMPT])
    action, concept = edit.split(" ", 1)
    made = [apply(dictionary, cond, pooled, [make_edit(action, concept, position)]) for position in at]
    asked = [(one.cond, one.pooled, seed) for one in made for seed in seeds]
    rows, vectors, every = zip(*asked, strict=True)
    pictures = torch.from_numpy(studio.draw_portraits(models, rows, vectors, every)).float() / 255
    return pictures.unflatten(0, (len(at), len(seeds)))


def told(pictures: Tensor) -> str:
    """Say the means of what is measured of pictures at ``WITHIN``."""
    found = evenness(pictures, WITHIN, pictures[0])
    numbers = [(one.variation, one.largest[2], one.r2) for one in found]
    return " ".join(f"{value:.3f}" for value in torch.tensor(numbers).mean(0).tolist())


def measure(models: Studio, dictionary: Dictionary, edit: str) -> str:
    """Calibrate an edit's slider on ``SEEDS`` and say what became of it on both."""
    index = dictionary.table.index(edit.split(" ", 1)[1])
    known = drawn(models, dictionary, edit, (*WITHIN, *BEYOND), SEEDS)
    made = calibrated(dictionary, index, known, (*WITHIN, *BEYOND))
    own = made.slider_map(index)
    assert own is not None
    before = {"known": known[: len(WITHIN)], "others": drawn(models, dictionary, edit, WITHIN, OTHERS)}
    after = {
        "known": drawn(models, made, edit, WITHIN, SEEDS),
        "others": drawn(models, made, edit, WITHIN, OTHERS),
    }
    lines = [f"  {name}: {told(before[name])} → {told(after[name])}" for name in before]
    return "\n".join([f"{edit}: safe from {own.low:g} to {own.high:g}", *lines])


if __name__ == "__main__":
    models, dictionary = studio.quickened(studio.load_studio()), load_dictionary(DICTIONARY)
    for edit in sys.argv[1:] or EDITS:
        print(measure(models, dictionary, edit), flush=True)
