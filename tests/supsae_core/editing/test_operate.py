"""Edits by an operator: in the rows as they are, one change after another."""

from dataclasses import replace

import pytest
import torch

from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Add, Keep, Remove, Scale, Swap
from supsae.training.calibration import known_reading

pytestmark = pytest.mark.slow
RED, BLACK, EYES, CROWN = "hair: red", "hair: black", "eyes: blue", "hat: crown"
EDITS = {"swap": Swap(BLACK), "add": Add(CROWN), "remove": Remove(EYES), "scale": Scale(RED, 2.0)}
every = pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)


@pytest.fixture(scope="module")
def row(paired, said):
    """Red hair and blue eyes; no hat is mentioned."""
    prompt = said("a drawing of someone with", RED, "and", EYES)
    phrases = {phrase.text: number for number, phrase in enumerate(paired.table.phrases)}
    mentions = [replace(one, phrase=phrases[" ".join(prompt.words[one.start : one.stop])]) for one in prompt.mentions]
    return paired.encoded(replace(prompt, mentions=tuple(mentions)))


@pytest.fixture(scope="module")
def made(paired, row):
    """Return `made(*edits)`: the edited rows."""
    reading = known_reading(paired.dictionary, row)
    return lambda *edits: apply(paired.dictionary, row.cond, row.pooled, list(edits), reading).cond


@every
def test_strength_is_linear_and_none_is_the_very_same_tensor(paired, row, made, edit):
    nothing, half = (replace(edit, strength=one) for one in ((1.0, 1.5) if isinstance(edit, Scale) else (0.0, 0.5)))
    assert made(nothing) is row.cond
    torch.testing.assert_close(2 * (made(half) - row.cond), made(edit) - row.cond, rtol=1e-3, atol=1e-3)


@every
def test_what_is_kept_is_not_touched(paired, row, made, edit):
    dictionary, category = paired.dictionary, "eyes" if edit.concept != EYES else "hair"
    members, reading = list(dictionary.table.categories[category]), known_reading(dictionary, row)
    for encoder in dictionary.family.encoders:
        part, columns = dictionary.parts[encoder.name], slice(encoder.first, encoder.last)
        effect = part.effect(dictionary.role("other"))[members]
        axes = (effect - effect.mean(0)) @ part.decoder
        rows = list(reading.layouts[encoder.name].roles.other)
        free, held = ((cond - row.cond)[rows, columns] for cond in (made(edit), made(edit, Keep(category))))
        assert (held @ axes.T).abs().max() < 1e-3 * (free @ axes.T).abs().max() or not free.any()


def test_edits_are_made_one_after_another(made):
    """The second starts from what the first left; far apart it hardly matters, and no edit undoes the other."""
    both, one, other = made(Swap(BLACK), Add(CROWN)), made(Swap(BLACK)), made(Add(CROWN)) - made()
    assert 0 < (both - one - other).norm() < 0.5 * other.norm()


def test_a_weighted_phrase_moves_by_its_weight(paired, row):
    dictionary, reading = paired.dictionary, known_reading(paired.dictionary, row)
    layouts, empty = {}, {}
    cond = row.cond.clone()
    for encoder in dictionary.family.encoders:
        hair, *others = reading.layouts[encoder.name].spans
        layouts[encoder.name] = reading.layouts[encoder.name]._replace(spans=(hair._replace(weight=1.5), *others))
        here = reading.coded(dictionary, encoder)
        rows, columns = list(hair.rows), slice(encoder.first, encoder.last)
        empty[encoder.name] = here.part.decode(here.empty(rows))
        cond[rows, columns] = empty[encoder.name] + 1.5 * (row.cond[rows, columns] - empty[encoder.name])
    heavy = apply(dictionary, cond, None, [Swap(BLACK)], reading._replace(layouts=layouts)).cond
    plain = apply(dictionary, row.cond, None, [Swap(BLACK)], reading).cond
    for encoder in dictionary.family.encoders:  # x = e + 1.5 (z − e), before and after
        rows, columns = list(layouts[encoder.name].spans[0].rows), slice(encoder.first, encoder.last)
        wanted = empty[encoder.name] + 1.5 * (plain[rows, columns] - empty[encoder.name])
        torch.testing.assert_close(heavy[rows, columns], wanted, rtol=1e-3, atol=1e-2)
