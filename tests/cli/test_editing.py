"""``supsae edit`` as a person types it: how edits are spelled, and the two pictures."""

import shlex

import numpy as np
import pytest
from PIL import Image

from supsae.cli import parser
from supsae.cli.editing import parse_edit
from supsae.hosts.diffusers import studio
from supsae.portraits import captions
from supsae.supsae_core.editing.edits import Add, Remove, Scale, Swap

pytestmark = pytest.mark.slow

PROMPT = "a portrait of a person with black hair, no hat, sandy beach"
SPELLED = {
    "swap hair: red": Swap("hair: red", 1),
    "swap hair: red @ 0.5": Swap("hair: red", 0.5),
    "  ADD hat: top hat@-1 ": Add("hat: top hat", -1),
    "remove hat: crown": Remove("hat: crown", 1),
    "scale eyes: blue @ 2": Scale("eyes: blue", 2),
    "swap hair: red #2": Swap("hair: red", 1, occurrence=2),
    "remove hat: crown # 1 @ 0.5": Remove("hat: crown", 0.5, occurrence=1),
}


@pytest.mark.parametrize("spelling", SPELLED)
def test_an_edit_is_read(spelling):
    assert parse_edit(spelling) == SPELLED[spelling]


@pytest.fixture
def edit(monkeypatch, capsys, weights, fitted, tmp_path):
    """Return a function that edits the prompt and gives back what was printed, and the two pictures."""
    monkeypatch.setattr(studio, "WEIGHTS", weights)

    def go(*edits, prompt=PROMPT, more=()):
        argv = [word for one in edits for word in ("--edit", one)]
        out = tmp_path / "new" / "e.png"
        d = fitted / "d.safetensors"
        line = ["edit", "--dictionary", d, "--prompt", prompt, "--out", out, "--steps", 2, "--seed", 7, *argv, *more]
        assert parser.main([str(word) for word in line]) == 0
        with Image.open(out) as picture:
            made = np.asarray(picture)
        return capsys.readouterr().out, made[14:270, 14:270], made[14:270, 284:540]

    return go


def test_edit_draws_before_and_after(edit):
    said, before, after = edit("swap hair: red", "swap hat: crown @ 0.5")
    assert "hair: black, hat: none, background: beach" in said
    assert "hair: black to hair: red\n" in said and "hat: none to hat: crown, strength 0.5" in said
    assert (before != after).any()


def test_one_of_two_people_is_edited(edit):
    prompt = "on the left a woman with black hair, on the right a man with blond hair"
    said, *_ = edit("swap hair: red #2", prompt=prompt, more=("--people", 2))
    assert "hair: blond to hair: red\n" in said and "hair: black to" not in said


def test_strength_nothing_draws_the_same_picture(edit):
    said, before, after = edit("swap hair: red @ 0")
    assert "Nothing to change for" in said and "same values in both" in said
    assert (before == after).all()


def test_an_edit_says_whether_it_took(edit):
    assert "did not take" not in edit("swap hair: red")[0]
    said, *_ = edit("swap hair: red @ 0.1")
    assert "Read again: hair: red did not take: 'black hair' reads stronger there than 'red hair'" in said


UNKNOWN = "a portrait of a person with black hair, a tiara of gold, sandy beach"
ASKED = {
    "not": ((), "'tiara of gold' may speak of hat", "hat: top hat added"),
    "taken": (("--accept",), "Taken as hat: 'tiara of gold'", "hat: crown to hat: top hat"),
    "told where": (("--at", "of gold"), "Taken as hat: 'of gold' (told).", "to hat: top hat"),
}


@pytest.mark.parametrize(("more", "offer", "change"), ASKED.values(), ids=ASKED)
def test_words_outside_the_table_are_offered_and_taken_when_told_to(edit, more, offer, change):
    said, *_ = edit("swap hat: top hat", prompt=UNKNOWN, more=more)
    assert offer in said and change in said


def test_edits_in_the_examples_are_of_the_portraits_table():
    spelled = parser.parser().parse_args(shlex.split(parser.COMMANDS["edit"].example)[1:]).edits
    assert len(spelled) == 2
    for edit in map(parse_edit, spelled):
        captions.table().index(edit.concept)


def test_pictures_come_in_the_order_asked_for(weights):
    models = studio.load_studio(weights)
    longer = "red hair, " * 20  # more than one chunk, so that it cannot share a batch
    conds, pooled = models.host.encode(["red hair", longer, "no hat"])
    made = studio.draw_portraits(models, conds, pooled, [1, 2, 1], steps=2)
    assert made.shape == (3, 128, 128, 3)
    for index, seed in enumerate([1, 2, 1]):
        alone = studio.draw_portraits(models, conds[index : index + 1], pooled[index : index + 1], [seed], steps=2)[0]
        # A batch sums in another order: a byte may round to its neighbour.
        assert np.abs(alone.astype(int) - made[index]).max() <= 1
    assert (made[0] != made[2]).mean() > 0.1  # equal noise, other words
