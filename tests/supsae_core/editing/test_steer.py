"""Steering inside the model: what is put in where, between noise levels, and on a picture of another size."""

from dataclasses import replace

import pytest
import torch

from supsae.supsae_core.dictionary.model import Codes
from supsae.supsae_core.editing import edits, steer
from supsae.supsae_core.editing.edits import Add, Keep, Remove, Swap
from supsae.supsae_core.editing.steer import STEPS, Stretch, Where, at_level, on_grid, stretches
from supsae.supsae_core.encoders.sites import parse_sites
from supsae.supsae_core.encoders.streams import IMAGE
from supsae.supsae_core.reading import readout

assert set(STEPS) == set(IMAGE), "every kind of rows has its step, and no other"


@pytest.mark.parametrize(
    ("sites", "inside", "wanted"),
    [
        ("cond, pooled", False, []),
        ("txt@0", False, [("txt", 0, 0)]),
        ("txt@2-4", True, [("txt", 2, 4)]),
        ("txt@0, txt@2-3", True, [("txt", 0, 0), ("txt", 2, 3)]),
        ("txt@0, txt@2-3", False, [("txt", 0, 3)]),  # put in once: the stream carries it on
        ("img@2, txt@3, txt@2", True, [("txt", 2, 3), ("img", 2, 2)]),
    ],
)
def test_stretches(sites, inside, wanted):
    assert stretches(Where(parse_sites(sites), inside=inside)) == [Stretch(*one) for one in wanted]


def test_one_edit_is_not_made_twice():
    with pytest.raises(ValueError, match="cond reaches every block already, so txt@4 would make the edit twice"):
        Where(parse_sites("cond, txt@4"))
    with pytest.raises(ValueError, match="No site is chosen"):
        Where(())


def test_between_noise_levels():
    steps, centres = torch.tensor([[1.0], [3.0], [7.0]]), (0.9, 0.5, 0.1)
    found = [float(at_level(steps, centres, sigma)) for sigma in (1.0, 0.9, 0.7, 0.5, 0.2, 0.1, 0.0)]
    assert found == pytest.approx([1, 1, 2, 3, 6, 7, 7])  # 0.7 is half way from 0.9 to 0.5, 0.2 three quarters on
    assert float(at_level(steps[:1], (0.5,), 0.8)) == 1


def test_another_size_and_a_mask():
    step = torch.arange(4.0)[:, None]  # a grid of 2 × 2: 0 1 / 2 3
    assert on_grid(step, (2, 2), (2, 2), None) is step
    assert on_grid(step[:1], (2, 2), (5, 7), None) is not None and len(on_grid(step[:1], (2, 2), (5, 7), None)) == 1
    larger = on_grid(step, (2, 2), (4, 4), None).view(4, 4)
    assert larger[0, 0] == 0 and larger[3, 3] == 3 and torch.equal(larger.T[:, 0], larger[0])
    mask = torch.zeros(8, 8)
    mask[:4] = 1  # the upper half
    assert on_grid(step + 1, (2, 2), (2, 2), mask).flatten().tolist() == [1, 2, 0, 0]
    mask[4:6] = 1  # and a quarter more: half of each lower token
    assert on_grid(step[1:2], (2, 2), (2, 2), mask).flatten().tolist() == [1, 1, 0.5, 0.5]


def random_codes(learnt, slots, groups, width=6):
    part = learnt.dictionary.parts["t5"]
    concepts, rank, generator = len(learnt.table), 3, torch.Generator().manual_seed(slots)
    new = lambda *shape: torch.randn(shape, generator=generator)  # noqa: E731
    phrases = slots > 1
    return Codes(
        new(width), new(rank, width), new(slots, part.slot_codes.shape[1], rank), new(groups, concepts, rank),
        new(slots, concepts, rank), new(slots, concepts),
        part.slot_tokens[:slots] if phrases else torch.ones(1, dtype=torch.int64),
        part.slot_groups[:slots] if phrases else torch.zeros(1, dtype=torch.int64), torch.ones(concepts),
    )  # fmt: skip


@pytest.fixture(scope="module")
def deep(learnt):
    """A dictionary with random codes at two blocks; their numbers mean nothing, where they go does."""
    part = learnt.dictionary.parts["t5"]
    text = lambda: (random_codes(learnt, len(part.slot_tokens), len(part.group_effects)),) * 2  # noqa: E731
    streams = {
        "txt@1/clip": text(), "txt@1/t5": text(), "img@2/mean": (random_codes(learnt, 1, 1),) * 2,
        "img@3/attention": (random_codes(learnt, len(learnt.table.phrases), len(part.group_effects)),) * 2,
    }  # fmt: skip
    return replace(learnt.dictionary, streams=streams, centres=(0.8, 0.2))


@pytest.fixture(scope="module")
def reading(learnt):
    cond = learnt.host.encode(["a portrait of a person with blond hair, golden crown, sandy beach"])[0][0]
    return readout.read_conditioning(learnt.dictionary, cond)


def moved(dictionary, reading, sites, *asked):
    found = edits.resolve_edits(dictionary, asked, reading.concepts(dictionary))
    return steer.moves(dictionary, reading, found, Where(parse_sites(sites)))


def test_only_what_is_asked_for_is_computed(deep, reading):
    both = moved(deep, reading, "cond, pooled", Swap("hair: red"))
    assert both.cond.shape == (96, 192) and both.pooled.shape == (128,) and not both.streams
    text = moved(deep, reading, "txt@0", Swap("hair: red"))
    assert torch.equal(text.cond, both.cond) and text.pooled is None and not text.streams
    later = moved(deep, reading, "txt@1, img@2", Swap("hair: red"))
    assert later.cond is None and {str(site): tuple(step.shape) for site, step in later.streams.items()} == {
        "txt@1": (2, 96, 6),
        "img@2": (2, 1, 6),
    }


def test_the_mean_of_the_image_moves_by_the_difference_of_effects(deep, reading, learnt):
    (step,) = moved(deep, reading, "img@2", Swap("hair: red"))[2].values()
    (codes,) = set(deep.streams["img@2/mean"])
    blond, red = (learnt.table.index(name) for name in ("hair: blond", "hair: red"))
    torch.testing.assert_close(step[0, 0], (codes.effect(0)[red] - codes.effect(0)[blond]) @ codes.decoder)


def test_places_that_attend_take_the_new_phrase_in_the_old_context(deep, reading, learnt):
    (step,) = moved(deep, reading, "img@3", Swap("hair: red"))[2].values()
    codes = deep.streams["img@3/attention"][0]
    context = torch.zeros(len(learnt.table))
    context[[learnt.table.index(name) for name in ("hat: crown", "background: beach")]] = 1
    old, new = (deep.phrase(learnt.table.index(name)) for name in ("hair: blond", "hair: red"))
    wanted = (codes.code(new, 0, context) - codes.code(old, 0, context)) @ codes.decoder
    torch.testing.assert_close(step[0, 0], wanted)
    for other in (Add("expression: sad"), Remove("hair: blond")):
        with pytest.raises(ValueError, match="can only swap one word for another"):
            moved(deep, reading, "img@3", other)


def test_the_text_stream_moves_in_the_rows_of_both_encoders(deep, reading):
    (step,) = moved(deep, reading, "txt@1", Swap("hair: red"))[2].values()
    rows = step[0].abs().sum(1) > 0
    assert rows[:48].any() and rows[48:].any()


def test_a_weighted_phrase_moves_by_its_weight_inside_a_block(deep, reading):
    # Both phrases stand w times as far from the empty prompt, so the step between them is w times as long.
    layout = reading.layouts["t5"]
    hair, *others = layout.spans
    heavy = layout._replace(spans=(hair._replace(weight=1.5), *others))
    (plain,), (weighted,) = (
        moved(deep, one, "txt@1", Swap("hair: red")).streams.values()
        for one in (reading, reading._replace(layouts={**reading.layouts, "t5": heavy}))
    )
    rows = list(hair.rows)
    assert plain[0, rows].any()
    torch.testing.assert_close(weighted[0, rows], 1.5 * plain[0, rows])


@pytest.mark.parametrize(
    ("sites", "sentence"),
    [
        ("txt@2", "nothing for txt@2; it has cond, pooled, txt@0, txt@1, img@2, img@3"),
        ("img@0", "run Capture with prompts and blocks at img@0"),
        ("img@3", "Connect a mask"),
    ],
)
def test_sites_that_a_dictionary_lacks(deep, sites, sentence):
    with pytest.raises(ValueError, match=sentence):
        steer.check_sites(deep, Where(parse_sites(sites)), masked=False)


def test_sites_that_a_dictionary_has(deep):
    steer.check_sites(deep, Where(parse_sites("cond, pooled")), masked=False)
    steer.check_sites(deep, Where(parse_sites("txt@0-2, img@2")), masked=False)
    steer.check_sites(deep, Where(parse_sites("img@3")), masked=True)


@pytest.mark.parametrize(("site", "rows"), [("img@2", "mean"), ("img@3", "attention")])
def test_steps_inside_the_model_leave_what_is_kept(deep, reading, learnt, site, rows):
    """Of three codes, two are what three expressions do about their mean: the step keeps the third."""
    free, held = (moved(deep, reading, site, Swap("hair: red"), *some) for some in ([], [Keep("expression")]))
    (before,), (after,) = free.streams.values(), held.streams.values()
    codes, members = deep.streams[f"{site}/{rows}"][0], list(learnt.table.categories["expression"])
    effect = codes.effect(0 if rows == "mean" else deep.phrase(learnt.table.index("hair: blond")))[members]
    read_out = [(step[0] @ codes.decoder.T @ (effect - effect.mean(0)).T).abs().max() for step in (before, after)]
    assert len(members) == 3 and read_out[1] < 1e-4 * read_out[0] and after.any()


def test_the_text_stream_leaves_what_is_kept(deep, reading, learnt):
    free, held = (moved(deep, reading, "txt@1", Swap("hair: red"), *some) for some in ([], [Keep("expression")]))
    (before,), (after,) = free.streams.values(), held.streams.values()
    codes, members = deep.streams["txt@1/t5"][0], list(learnt.table.categories["expression"])
    crown = list(reading.layouts["t5"].spans[1].rows)
    effect = codes.effect(deep.phrase(learnt.table.index("hat: crown")))[members]
    read_out = [
        (step[0, crown] @ codes.decoder.T @ (effect - effect.mean(0)).T).abs().max() for step in (before, after)
    ]
    assert read_out[1] < 1e-4 * read_out[0] and after[0, crown].any()
