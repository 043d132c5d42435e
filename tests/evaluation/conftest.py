"""One run of the scoreboard, every part of it on a few pictures of one step, for all tests that look at results."""

from functools import partial
from typing import Any, NamedTuple

import pytest


class Board(NamedTuple):
    """What one run found and wrote, and what it told on its way."""

    found: Any
    size: Any
    files: Any
    sentences: list
    drawn: dict
    """part → (pictures told of, pictures said to be needed at most)"""

    @property
    def sections(self):
        return self.found.results["sections"]


def coarse():
    """Return what stands for the auto-encoder, which takes most of a picture's time."""
    import torch  # tests/conftest.py first says how many threads it has
    from torch.nn import functional as F

    class Coarse:
        """Three channels of the latent, enlarged."""

        dtype = torch.float32

        def decode(self, latents, return_dict):
            return (F.interpolate(latents[:, :3], scale_factor=8),)

    return Coarse()


@pytest.fixture(scope="session")
def board(learnt, tmp_path_factory):
    """Three baselines learn, one from two templates; the adapters change nothing, since training one takes minutes."""
    import torch

    from supsae.evaluation.baselines import low_rank, table
    from supsae.evaluation.pictures import methods, run
    from supsae.evaluation.pictures.gallery import ModelChange
    from supsae.evaluation.pictures.parts import Size
    from supsae.evaluation.pictures.renderer import diffusers_renderer
    from supsae.evaluation.report import files
    from supsae.evaluation.results import Hooks
    from supsae.hosts.diffusers import studio

    models, out = studio.load_studio()._replace(vae=coarse()), tmp_path_factory.mktemp("board")
    blank = low_rank.blank(models.transformer, "hat: crown", 1, torch.Generator().manual_seed(0))
    change = ModelChange("blank", partial(low_rank.adapted, models.transformer, blank))
    size = Size(
        headline=3, baselines=2, calibration=1, split=1, several=1, curve=1, removal=2, adapter=2, two=2, text=8
    )
    sentences, drawn = [], {}

    def part(name, most):
        drawn[name] = (0, most)

        def told(count):
            drawn[name] = (drawn[name][0] + count, most)

        return told

    few = {name: table.BASELINES[name] for name in ("flattened ridge", "position-wise delta")}
    few["position-wise delta"] = partial(few["position-wise delta"], templates=("a picture with {}", "{}"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods, "BASELINES", few)
        patch.setattr(methods, "TOLD", {"chosen tokens": table.TOLD["chosen tokens"]})
        for name, value in {"PROBE": 1, "FEW": 20, "CALIBRATION": 8}.items():
            patch.setattr(run, name, value)
        found = run.run(
            learnt.dictionary, diffusers_renderer(models, steps=1), out, run.EvalConfig("tiny", 3, own_counts=size),
            Hooks(sentences.append, part), models.host, lambda plan, hooks: {"hat: crown": change},
        )  # fmt: skip
    return Board(found, size, files.write(found, out), sentences, drawn)
