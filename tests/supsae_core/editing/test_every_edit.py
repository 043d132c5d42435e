"""What holds of every edit there is, whatever it says; a new one is asked the same without a line here."""

import pytest
import torch

from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import EDITS, Clear, Keep, Scale, scaled, spell_edit
from supsae.supsae_core.table.prompts import Mention, Prompt

assert EDITS, "the table of edits is empty"
SAID, OPEN, OTHER = "hair: red", "hat: crown", "hair: black"


@pytest.fixture(scope="module")
def row(learnt):
    """Red hair and blue eyes; no hat is mentioned."""
    hair, eyes = (learnt.table.first_phrase[learnt.table.index(one)] for one in (SAID, "eyes: blue"))
    words = ["with", *learnt.table.phrases[hair].text.split(), *learnt.table.phrases[eyes].text.split()]
    split = 1 + len(learnt.table.phrases[hair].text.split())
    return learnt.encoded(Prompt(tuple(words), (Mention(hair, 1, split), Mention(eyes, split, len(words)))))


def made(kind, strength=1.0):
    """The edit with something legal to do on that prompt: on what it says, else on what it leaves open."""
    for concept in (SAID.split(":")[0],) if kind is Clear else (SAID, OPEN, OTHER):
        yield kind(concept, strength)


def applied(learnt, row, kind, strength=1.0):
    """The first of them that the core accepts and that changes something."""
    for edit in made(kind, strength):
        try:
            found = apply(learnt.dictionary, row.cond, row.pooled, [edit])
        except ValueError:
            continue
        if found.changes or strength == (1.0 if kind is Scale else 0.0):
            return edit, found
    raise AssertionError(f"{kind.__name__} has nothing to do on this prompt")


def full(kind):
    """A strength at which the edit does something: scaling by 1 is nothing, and Turn says more from 1 on."""
    return 2.0 if kind is Scale else 1.0


@pytest.mark.parametrize("kind", EDITS)
def test_it_changes_rows_and_keeps_shape_dtype_and_its_input(learnt, row, kind):
    before = row.cond.clone()
    _, found = applied(learnt, row, kind, full(kind))
    assert found.cond.shape == row.cond.shape and found.cond.dtype == row.cond.dtype
    assert not torch.equal(found.cond, row.cond) and bool(found.cond.isfinite().all())
    assert torch.equal(row.cond, before)


@pytest.mark.parametrize("kind", EDITS)
def test_half_precision_stays_half(learnt, row, kind):
    edit, _ = applied(learnt, row, kind, full(kind))
    found = apply(learnt.dictionary, row.cond.half(), row.pooled.half(), [edit])
    assert found.cond.dtype == found.pooled.dtype == torch.float16


@pytest.mark.parametrize("kind", EDITS)
def test_doing_nothing_is_the_very_same_tensor(learnt, row, kind):
    nothing = 1.0 if kind is Scale else 0.0
    _, found = applied(learnt, row, kind, nothing)
    assert found.cond is row.cond and found.pooled is row.pooled and found.changes == []


@pytest.mark.parametrize("kind", EDITS)
def test_what_is_kept_is_not_touched_by_it(learnt, row, kind):
    edit, _ = applied(learnt, row, kind, full(kind))
    found = apply(learnt.dictionary, row.cond, row.pooled, [edit, Keep("eyes")])
    assert all(change.off == (tuple(learnt.table.categories["eyes"]),) for change in found.changes)


@pytest.mark.parametrize("kind", EDITS)
def test_two_of_one_category_are_refused(learnt, row, kind):
    edit, _ = applied(learnt, row, kind, full(kind))
    with pytest.raises(ValueError, match="Two edits"):
        apply(learnt.dictionary, row.cond, row.pooled, [edit, edit])


@pytest.mark.parametrize("kind", EDITS)
def test_a_name_that_is_none_is_refused_with_the_nearest(learnt, row, kind):
    wrong = kind("hiar" if kind is Clear else "hair: rde", 1.0)
    with pytest.raises(ValueError, match="hair"):
        apply(learnt.dictionary, row.cond, row.pooled, [wrong])


@pytest.mark.parametrize("kind", EDITS)
def test_it_is_spelled_with_its_strength_and_scaled_by_it(kind):
    edit = kind("hair" if kind is Clear else SAID, 0.5)
    assert spell_edit(edit).startswith(EDITS[kind].verb) and "0.5" in spell_edit(edit)
    assert scaled(edit, 2.0) == kind("hair" if kind is Clear else SAID, 1.0)
