"""What holds of every edit there is, whatever it says; a new one is asked the same without a line here."""

from contextlib import suppress
from dataclasses import fields

import pytest
import torch

from supsae.supsae_core.editing import steer
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.between import Between
from supsae.supsae_core.editing.edits import EDITS, Keep, Scale, Turn, Weigh, resolve_edits, scaled, spell_edit
from supsae.supsae_core.editing.steer import Moves, Where
from supsae.supsae_core.encoders.sites import Site, parse_sites
from supsae.supsae_core.reading.readout import read_conditioning

assert EDITS, "the table of edits is empty"
CONCEPTS, CATEGORIES = ("expression: smile", "expression: sad", "hat: crown"), ("expression", "hat")
"""Said, another value of what is said, which has a token more, and left open by the prompt."""
STILL, FULL = {Scale: 1.0, Weigh: 1.0, Between: -1.0}, {Scale: 2.0, Weigh: 2.0, Turn: 1.5}
"""Strengths at which an edit does nothing, and at which it does something, where these are not 0 and 1."""
each = pytest.mark.parametrize("kind", EDITS, ids=lambda kind: kind.__name__)
ALL_SITES = ["cond, pooled", "txt@1", "img@2", "img@3"]


@pytest.fixture(scope="module")
def row(learnt, said):
    """A smile and blue eyes; no hat is mentioned."""
    return learnt.encoded(said("someone", "expression: smile", "with", "eyes: blue"))


@pytest.fixture(scope="module")
def reading(learnt, row):
    return read_conditioning(learnt.dictionary, row.cond)


def about(kind, strength):
    """Edits of that kind, each about something else."""
    if kind is Between:
        return [Between(CONCEPTS[0], strength, CONCEPTS[1])]
    names = CATEGORIES if fields(kind)[0].name == "category" else CONCEPTS
    return [kind(name, strength) for name in names]


@pytest.fixture
def working(learnt, reading, kind):
    """Those that are legal and change something on this prompt."""
    found = []
    for edit in about(kind, FULL.get(kind, 1.0)):
        with suppress(ValueError):
            found += [edit] if resolve_edits(learnt.dictionary, [edit], reading.concepts(learnt.dictionary)) else []
    assert found, f"{kind.__name__} has nothing to do on this prompt"
    return found


def spans_of(learnt, layout, concept):
    return [one for one in layout.spans if learnt.table.phrases[one.phrase].concept == concept]


@each
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_it_changes_rows_and_keeps_shape_dtype_and_its_input(learnt, row, working, dtype):
    cond, pooled = row.cond.to(dtype), row.pooled.to(dtype)
    before = cond.clone(), pooled.clone()
    for edit in working:
        made, exact = (apply(learnt.dictionary, *some, [edit]) for some in ((cond, pooled), (row.cond, row.pooled)))
        assert torch.equal(cond, before[0]) and torch.equal(pooled, before[1])
        for new, old, wanted in ((made.cond, cond, exact.cond), (made.pooled, pooled, exact.pooled)):
            assert (new.shape, new.dtype, new.device) == (old.shape, dtype, old.device) and not torch.equal(new, old)
            # another precision is another rounding of the same edit; features are of order 1 to 10
            assert (new.float() - wanted).abs().max() <= 16 * torch.finfo(dtype).eps + 1e-5


@each
def test_doing_nothing_is_the_very_same_tensor(learnt, row, kind):
    accepted = 0
    for edit in about(kind, STILL.get(kind, 0.0)):
        with suppress(ValueError):
            found = apply(learnt.dictionary, row.cond, row.pooled, [edit])
            accepted += 1
            assert found.cond is row.cond and found.pooled is row.pooled and found.changes == []
    assert accepted


@each
def test_causal_rows_before_the_edited_slot_are_bit_equal_and_all_others_move(learnt, row, working):
    for edit in working:
        made = apply(learnt.dictionary, row.cond, row.pooled, [edit])
        layout = made.reading.layouts["clip"]
        spans = spans_of(learnt, layout, made.changes[0].old)
        first = spans[0].rows[0] if spans else layout.roles.end[-1]  # what is added is written behind the text
        assert torch.equal(made.cond[:first], row.cond[:first])
        assert (made.cond[first:] != row.cond[first:]).any(1).all()
        assert not made.cond[:48, 128:].any()  # still a causal row by content


@each
def test_two_of_one_category_are_refused(learnt, row, working):
    for edit in working:
        with pytest.raises(ValueError, match="Two edits"):
            apply(learnt.dictionary, row.cond, row.pooled, [edit, edit])


@each
def test_a_name_that_is_none_is_refused_with_the_nearest(learnt, row, kind):
    wrong = kind("hiar" if fields(kind)[0].name == "category" else "hair: rde", 1.0)
    with pytest.raises(ValueError, match="hair"):
        apply(learnt.dictionary, row.cond, row.pooled, [wrong])


@each
def test_it_is_spelled_with_its_strength_and_scaled_by_it(kind):
    edit, twice = about(kind, 0.5)[0], about(kind, 1.0)[0]
    assert spell_edit(edit).startswith(EDITS[kind].verb) and "0.5" in spell_edit(edit)
    assert scaled(edit, 2.0) == twice


# --- at every place: the conditioning, the pooled vector, the streams inside the model ------------------------------


def moves_of(dictionary, cond, reading, sites, *edits):
    found = resolve_edits(dictionary, edits, reading.concepts(dictionary))
    if sites != "txt@1":
        return found, steer.moves(dictionary, cond, reading, found, Where(parse_sites(sites)))
    levels = zip(*(dictionary.streams[f"txt@1/{encoder.name}"] for encoder in dictionary.family.encoders), strict=True)
    names = [encoder.name for encoder in dictionary.family.encoders]
    steps = [
        sum(steer.step_of(name)(dictionary, one, reading, found) for name, one in zip(names, codes, strict=True))
        for codes in levels
    ]
    return found, Moves(None, None, {Site("txt", 1): torch.stack(steps)})


def slots_of(dictionary, reading, found, moved):
    """What was added, slot by slot: codes, slot, and the step (rows, d) of the rows that have it to themselves."""
    places = []
    if moved.pooled is not None:
        places += [(dictionary.parts["pooled"], 0, moved.pooled[None])]
    for site, (step, _) in moved.streams.items():
        if site.kind == "img":
            (rows,) = (name.split("/")[1] for name in dictionary.streams if name.startswith(str(site)))
            slot = 0 if rows == "mean" else dictionary.phrase(found[0].old)
            places += [(dictionary.streams[f"{site}/{rows}"][0], slot, step)]
    text = [step for site, (step, _) in moved.streams.items() if site.kind == "txt"]
    for encoder in dictionary.family.encoders:
        layout, columns = reading.layouts[encoder.name], slice(encoder.first, encoder.last)
        slots = [(span.phrase, span.rows) for span in layout.spans]
        slots += [(dictionary.role(name), rows) for name, rows in layout.roles.filled().items()]
        for slot, rows in slots:
            if moved.cond is not None:
                places += [(dictionary.parts[encoder.name], slot, moved.cond[list(rows), columns])]
            places += [(dictionary.streams[f"txt@1/{encoder.name}"][0], slot, one[list(rows)]) for one in text]
    return places


def kept_share(dictionary, places, members):
    """How much of what is added is read out along the members' effects about their mean; 1 is all of it."""
    shares = []
    for part, slot, step in places:
        effect = part.effect(slot)[list(members)].double()
        directions = (effect - effect.mean(0)) @ part.decoder.double()
        whole = step.double().norm(dim=-1, keepdim=True) * directions.norm(dim=-1)
        shares.append(((step.double() @ directions.T).abs() / whole.clamp(min=1e-6)).max())
    return float(torch.stack(shares).max())


@each
@pytest.mark.parametrize("sites", ALL_SITES)
@pytest.mark.parametrize("category", ["eyes", "haircut"], ids=["said", "not said"])
def test_what_is_kept_is_not_touched_by_it_anywhere(deep, row, reading, working, sites, category):
    # of three values two directions are kept, and every part has at least three
    members = deep.table.categories[category]
    for edit in working:
        (change, *_), _ = moves_of(deep, row.cond, reading, "cond", edit)
        if sites == "img@3" and (change.old is None or change.new is None):
            with pytest.raises(ValueError, match="can only swap one word for another"):
                moves_of(deep, row.cond, reading, sites, edit)
            continue
        free, held = (moves_of(deep, row.cond, reading, sites, edit, *some) for some in ((), (Keep(category),)))
        assert [one.off for one in held[0]] == [(tuple(members),)] * len(held[0])
        shares = [kept_share(deep, slots_of(deep, reading, *some), members) for some in (free, held)]
        assert shares[1] < 1e-4 < 1e-2 < shares[0], (edit, shares)  # rounding, where little of a step is left
        assert all(bool(step.any()) for step in (held[1].cond, *held[1].streams.values()) if step is not None)


def weighted(reading, weight):
    """The first phrase, the smile, as a prompt weighs it: its rows stand so many times as far from the empty prompt."""
    layouts = {}
    for name, layout in reading.layouts.items():
        smile, *others = layout.spans
        layouts[name] = layout._replace(spans=(smile._replace(weight=weight), *others))
    return reading._replace(layouts=layouts)


@each
@pytest.mark.parametrize("site", ["cond", "txt@1"])
def test_a_weighted_phrase_moves_by_its_weight(deep, row, reading, working, site):
    own = [layout.spans[0].rows[0] for layout in reading.layouts.values()]
    for edit in working:
        steps = []
        for weight in (0.0, 1.0, 1.5):
            (change, *_), moved = moves_of(deep, row.cond, weighted(reading, weight), site, edit)
            steps.append(moved.cond if site == "cond" else moved.streams[parse_sites(site)[0]][0])
        zero, plain, heavy = steps
        # Words are e + w (code − e) before and after, so a step is linear in the weight, and nothing at 0 unless pads,
        # which have no weight, come in their place;
        torch.testing.assert_close(heavy - zero, 1.5 * (plain - zero), rtol=1e-4, atol=1e-4)
        assert bool(zero[own].any()) == (change.old is not None and change.new is None and not change.scale)
        # and only rows of the phrase depend on it: its own, and those that take the further token of another.
        further = [47, 95] if change.old is not None and change.new is not None else []
        depends = {*(plain != zero).any(1).nonzero().flatten().tolist()}
        assert {own[-1], *further} <= depends <= {*own, *further}
