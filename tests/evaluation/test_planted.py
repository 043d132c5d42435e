"""Planted failures lower the figure that should see them: blended hair the success, an artifact the artifact rate."""

import numpy as np
import pytest
import torch

from supsae.evaluation.intervals import share
from supsae.evaluation.outcomes import judge, shares
from supsae.portraits import artifacts, reader, scene, second_reader
from supsae.portraits.make import corpus
from supsae.portraits.make.corpus import pixels_of
from supsae.portraits.make.damage import noise
from supsae.portraits.vae import AutoEncoder

COUNT = 16


@pytest.fixture(scope="module")
def swapped():
    """Pictures with black hair, and the same pictures with red hair."""
    rng = np.random.default_rng(4)
    drawn = [(scene.sample_factors(rng), scene.Nuisance.sample(rng)) for _ in range(COUNT)]

    def with_hair(color):
        return pixels_of(np.stack([scene.draw_portrait({**one, "hair": color}, other) for one, other in drawn]))

    return with_hair("black"), with_hair("red")


@pytest.mark.parametrize("load", [reader.load_reader, second_reader.load_second_reader], ids=["first", "second"])
def test_blended_hair_is_no_success(swapped, load):
    before, after = swapped
    judged = lambda made: shares(  # noqa: E731
        [judge(a, b, {"hair": "red"}) for a, b in zip(load().read(before), load().read(made), strict=True)]
    )
    right, blended = judged(after), judged((before + after) / 2)
    assert (right["success"].estimate, right["both"].estimate) == (1, 1)
    # 16 of 16 before; after it the first reader still takes some half-and-half red for red, the second none.
    assert blended["success"].high < right["success"].low
    assert blended["kept"].estimate > 0.8  # the rest of the picture is as it was


def test_an_artifact_raises_the_artifact_rate(swapped):
    vae = corpus.load_weights("vae/supsae_portraits_vae", AutoEncoder(), torch.device("cpu"))
    with torch.no_grad():
        shown = vae.decode(vae.encode(swapped[1])).clamp(0, 1)
    half = noise(shown[: COUNT // 2], np.random.default_rng(0))
    rate = lambda pictures: share(artifacts.load_artifacts().is_artifact(pictures).tolist()).estimate  # noqa: E731
    assert rate(shown) == 0
    assert rate(torch.cat([half, shown[COUNT // 2 :]])) == 0.5
