"""Edits by an operator: in the rows as they are, one change after another."""

from dataclasses import replace

import pytest
import torch

from supsae.supsae_core.editing.apply import apply, apply_changes, in_order, ordered_codes
from supsae.supsae_core.editing.edits import Add, Keep, Remove, Scale, Swap, resolve_edits
from supsae.supsae_core.editing.outcome import read_again
from supsae.supsae_core.reading.readout import codes_of_scenes, read_scenes
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


MIXES = {name: [one] for name, one in EDITS.items()}
MIXES |= {"two": [Swap(BLACK), Add(CROWN)], "kept": [Swap(BLACK), Keep("eyes")]}


@pytest.fixture(scope="module")
def known(paired, row):
    """Return `known(*edits, cond=…, weight=…)`: rows edited by who knows their codes, of which hair has a weight."""
    dictionary = paired.dictionary
    reading, scenes = read_scenes(dictionary, row.cond)

    def go(*edits, cond=row.cond, weight=1.0):
        found, layouts = resolve_edits(dictionary, edits, reading.concepts(dictionary)), dict(reading.layouts)
        for name, one in layouts.items():
            hair, *others = one.spans
            layouts[name] = one._replace(spans=(hair._replace(weight=weight), *others))
        weighted = reading._replace(layouts=layouts)
        return apply_changes(dictionary, cond, None, weighted, found, codes_of_scenes(scenes))

    return go


@pytest.mark.parametrize("weight", [1.0, 1.4])
@pytest.mark.parametrize("edits", MIXES.values(), ids=MIXES)
def test_codes_that_are_known_after_an_edit_are_those_of_its_rows(paired, known, edits, weight):
    made, dictionary = known(*edits, weight=weight), paired.dictionary
    assert made.codes.keys() == dictionary.operators.keys() and made.codes
    for name, codes in made.codes.items():
        encoder, own = dictionary.family.encoder(name), made.reading.rows.own[name]
        rows = made.cond[own.start : own.stop, encoder.first : encoder.last]
        torch.testing.assert_close(codes, dictionary.parts[name].encode(rows), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("edits", MIXES.values(), ids=MIXES)
def test_edited_rows_are_read_again_as_if_nothing_were_known(paired, known, edits):
    made, dictionary = known(*edits), paired.dictionary
    quick, slow = (read_again(dictionary, one) for one in (made, made._replace(codes={})))
    assert [(one.verdict, one.reason) for one in quick.outcomes] == [(one.verdict, one.reason) for one in slow.outcomes]
    assert [one.score for one in quick.outcomes] == pytest.approx([one.score for one in slow.outcomes], abs=1e-4)
    whole, _ = read_scenes(dictionary, in_order(dictionary, made), led_by=made.reading.lead)
    assert [one[:2] for one in quick.reading.found] == [one[:2] for one in whole.found]


def test_known_codes_follow_rows_into_another_order(paired, known):
    made, encoder = known(Swap(BLACK)), paired.dictionary.family.encoders[-1]
    own = made.reading.rows.of(encoder)
    order = [*range(own.start), *reversed(own)]
    codes = ordered_codes(made, order)[encoder.name]
    assert torch.equal(codes, made.codes[encoder.name].flip(0)) and own.stop == len(made.cond)
    assert ordered_codes(made, sorted(order)) is made.codes


def test_codes_of_rows_that_are_rounded_are_not_known(row, known):
    assert known(Swap(BLACK)).codes and not known(Swap(BLACK), cond=row.cond.bfloat16()).codes
