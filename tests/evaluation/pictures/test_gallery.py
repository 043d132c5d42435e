"""Pictures are drawn once, told apart by what decides them, and held to their references where asked."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from supsae.evaluation.pictures import gallery
from supsae.evaluation.pictures.gallery import Gallery, LazyRows, ModelChange, Shot
from supsae.evaluation.pictures.renderer import diffusers_renderer
from supsae.hosts.diffusers import studio
from supsae.supsae_core.lock import LockConfig

pytestmark = pytest.mark.slow

TEXTS = ("a portrait of a person with blond hair", "a portrait of a person with red hair")


@pytest.fixture(scope="module")
def models():
    return studio.load_studio()


def rows(models, text):
    def make():
        conds, pooled = models.host.encode([text])
        return conds[0], pooled[0]

    return LazyRows(text, make)


@pytest.fixture(scope="module")
def renderer(models):
    return diffusers_renderer(models, steps=3)


@pytest.fixture
def made(renderer, tmp_path):
    return Gallery(renderer, tmp_path, LockConfig())


def test_equal_shots_are_drawn_once_and_kept(made, models, renderer, tmp_path):
    plain, other = (Shot(rows(models, text), 3) for text in TEXTS)
    told = []
    pictures = made.draw([plain, other, plain], told.append)
    assert sum(told) == 2 and len(list(tmp_path.rglob("*.png"))) == 2
    assert np.array_equal(pictures[0].pixels, pictures[2].pixels) and pictures[0].let_through == 1
    expected = renderer.draw(*zip(*(one.rows.make() for one in (plain, other)), strict=True), [3, 3])
    assert np.array_equal(np.stack([pictures[0].pixels, pictures[1].pixels]), expected)
    # what lies there is not made again: rows that cannot be made would raise
    gone = Shot(LazyRows(TEXTS[0], lambda: 1 / 0), 3)
    assert np.array_equal(made.draw([gone])[0].pixels, pictures[0].pixels)


def test_everything_that_decides_a_picture_is_in_its_name(made, models, renderer, tmp_path):
    shot, other = Shot(rows(models, TEXTS[0]), 3), rows(models, TEXTS[1])
    change = ModelChange("a", lambda strength: None)
    variants = [
        shot, shot._replace(seed=4), shot._replace(rows=other), shot._replace(held_to=other),
        shot._replace(held_to=shot.rows), shot._replace(change=(change, 1.0)), shot._replace(change=(change, 0.5)),
        shot._replace(change=(ModelChange("b", change.on), 1.0)),
    ]  # fmt: skip
    names = {made.key(one) for one in variants}
    names.add(Gallery(renderer, tmp_path, LockConfig(grow=1)).key(variants[3]))
    names.add(Gallery(diffusers_renderer(models, steps=4), tmp_path, LockConfig()).key(shot))
    assert len(names) == 10
    assert Gallery(renderer, tmp_path, LockConfig(grow=1)).key(shot) == made.key(shot)  # no lock, no matter


def test_locked_pictures_bring_their_references_and_tell_what_was_let_through(made, models, tmp_path):
    plain = rows(models, TEXTS[0])
    same, edited = Shot(plain, 3, plain), Shot(rows(models, TEXTS[1]), 3, plain)
    first, second = made.draw([same, edited])
    reference = Shot(LazyRows(TEXTS[0], lambda: 1 / 0), 3)  # was drawn on the way
    far = made.draw([reference])[0].pixels.astype(int) - first.pixels
    assert np.abs(far).max() <= 1  # the same latent, decoded in a batch of another size
    assert first.let_through == 0 < second.let_through < 1


def test_an_interrupted_run_keeps_what_it_drew(made, models, monkeypatch, tmp_path):
    monkeypatch.setattr(gallery, "BATCH", 1)
    done = []

    def told(count):
        done.append(count)
        if sum(done):
            raise KeyboardInterrupt

    shots = [Shot(rows(models, text), 5) for text in TEXTS]
    with pytest.raises(KeyboardInterrupt):
        made.draw(shots, told)
    assert len(list(tmp_path.rglob("*.png"))) == 1 and not list(tmp_path.rglob("*.part"))
    assert len(made.draw(shots)) == 2


def test_changes_of_the_model_are_on_while_their_pictures_are_drawn(made, models):
    bias = models.transformer.proj_out.bias
    before = bias.clone()

    @contextmanager
    def on(strength):
        bias.add_(strength)
        yield
        bias.copy_(before)

    plain = rows(models, TEXTS[0])
    shots = [
        Shot(plain, 3),
        Shot(plain, 3, change=(ModelChange("shift", on), 0.5)),
        Shot(plain, 3, plain, (ModelChange("shift", on), 0.5)),
    ]
    free, shifted, held = made.draw(shots)
    assert not np.array_equal(free.pixels, shifted.pixels) and torch.equal(bias, before)
    assert held.let_through > 0
