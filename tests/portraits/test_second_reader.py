"""The second reader counts colours as it says, solves exactly, reads renders, and will not choose within a blend."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from supsae.portraits import captions, reader, scene, second_reader
from supsae.portraits.make.corpus import pixels_of
from supsae.portraits.reader import UNREADABLE
from supsae.portraits.second_reader import RIDGE, fit_second_reader, histograms

COUNT = 24
TABLE = captions.table()


@pytest.fixture(scope="module")
def drawn():
    """Fresh renders and what they show; training drew from seed 1."""
    rng = np.random.default_rng(2)
    wanted = [scene.sample_factors(rng) for _ in range(COUNT)]
    pictures = [np.asarray(scene.draw_portrait(factors, scene.Nuisance.sample(rng))) for factors in wanted]
    return pixels_of(np.stack(pictures)), wanted


@pytest.fixture(scope="module")
def second():
    return second_reader.load_second_reader()


def test_a_colour_on_a_level_is_counted_once():
    # red at ½, green at 0, blue at 1: levels 1, 0 and 2 of three, so colour 1 · 9 + 0 · 3 + 2 = 11 of 27
    picture = torch.tensor([0.5, 0.0, 1.0])[None, :, None, None].expand(1, 3, 16, 8)
    assert torch.equal(histograms(picture), F.one_hot(torch.tensor([11]), 27).float().repeat(1, 2))


def test_a_colour_between_levels_is_shared():
    # red ¼ of the whole range lies half-way between the levels 0 and ½; the rest is black
    picture = torch.zeros(1, 3, 8, 8)
    picture[:, 0] = 0.25
    found = histograms(picture)[0]
    assert (found[0], found[9], found.sum()) == (0.5, 0.5, 1)


def test_every_square_is_counted_apart():
    picture = torch.zeros(1, 3, 16, 16)
    picture[:, :, :8, 8:] = 1  # the second square white, the others black
    found = histograms(picture).view(4, 27)
    assert found.argmax(1).tolist() == [0, 26, 0, 0]


def test_fit_is_the_ridge_regression():
    generator = torch.Generator().manual_seed(0)
    features, targets = (torch.randn(50, n, generator=generator, dtype=torch.float64) for n in (7, 3))
    # Ridge is least squares with one more row √(n λ) e_i, wanted 0, for every feature; λ = RIDGE · mean variance.
    centred, wanted = features - features.mean(0), targets - targets.mean(0)
    strength = (50 * RIDGE * centred.square().mean()).sqrt()
    rows = torch.cat([centred, strength * torch.eye(7, dtype=torch.float64)])
    weight = torch.linalg.lstsq(rows, torch.cat([wanted, torch.zeros(7, 3, dtype=torch.float64)])).solution
    found = fit_second_reader(features, targets)
    torch.testing.assert_close(found.weight, weight, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(found.offset, targets.mean(0) - features.mean(0) @ weight, rtol=1e-10, atol=1e-12)


def softened(pictures):
    small = F.interpolate(pictures, scale_factor=0.7, mode="bilinear", antialias=True)
    return F.interpolate(small, size=pictures.shape[-2:], mode="bilinear")


def grained(pictures):
    return (pictures + 0.03 * torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)


@pytest.mark.parametrize("change", [lambda x: x, softened, grained], ids=["plain", "softened", "grained"])
def test_renders_are_read_right(drawn, second, change):
    pictures, wanted = drawn
    assert second.read(change(pictures)) == wanted


@pytest.mark.parametrize("load", [reader.load_reader, second_reader.load_second_reader], ids=["first", "second"])
def test_blends_are_unreadable(drawn, load):
    pictures, wanted = drawn
    read = load().read((pictures + pictures.roll(1, 0)) / 2)
    pairs = zip(read, wanted, wanted[-1:] + wanted[:-1], strict=True)
    seen = [one[name] for one, a, b in pairs for name in one if a[name] != b[name]]
    # 97 % of 384 other blends are unreadable to either reader, and these are about 24 · 8 · 0.7 = 134 values
    assert len(seen) > 100
    assert np.mean([value == UNREADABLE for value in seen]) > 0.93


def test_what_both_show_is_read_in_a_blend(second):
    rng = np.random.default_rng(3)
    factors, nuisance = scene.sample_factors(rng), scene.Nuisance.sample(rng)
    others = {**factors, "hair": "red"}, {**factors, "hair": "blue"}
    pictures = [pixels_of(np.asarray(scene.draw_portrait(one, nuisance))[None]) for one in others]
    assert second.read((pictures[0] + pictures[1]) / 2) == [{**factors, "hair": UNREADABLE}]


def test_a_score_below_the_least_is_unreadable():
    scores = torch.zeros(len(TABLE))
    for category, score in (("hair", 0.7), ("hat", 0.6)):
        scores[TABLE.categories[category][1]] = score
    read = reader.values(scores, 0.65)
    assert read["hair"] == TABLE.concepts[TABLE.categories["hair"][1]].name
    assert set(read.values()) == {read["hair"], UNREADABLE}
