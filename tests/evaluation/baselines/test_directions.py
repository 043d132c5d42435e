"""The baselines that add a direction to rows: each by hand on a toy, and what strength 1 means."""

from types import SimpleNamespace

import pytest
import torch

from supsae.evaluation.baselines import pieces
from supsae.evaluation.baselines.beside_prompt import BesidePrompt
from supsae.evaluation.baselines.chosen_tokens import ChosenTokens, layouts_of
from supsae.evaluation.baselines.control_vector import ControlVectors, bare
from supsae.evaluation.baselines.sparse_direction import SparseDirections, SparsePiece
from supsae.evaluation.baselines.table import TOLD
from supsae.evaluation.baselines.topk import Coder
from supsae.supsae_core.capture.captures import Encoded
from supsae.supsae_core.capture.plan import Entry
from supsae.supsae_core.encoders.families import FAMILIES

FAMILY = FAMILIES["portraits"]
SHAPE = (96, 192)
PIECES = pieces.pieces_of(FAMILY)


def test_strength_of_one_is_least_squares():
    # ⟨(1, 2), (3, 3)⟩ + ⟨(1, 0), (1, 5)⟩ = 9 + 1 over 5 + 1; another shape counts nothing; never below 0
    one = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 3.0])
    other = torch.tensor([1.0, 0.0]), torch.tensor([1.0, 5.0])
    assert pieces.strength_of_one([one, other, (torch.ones(2), torch.ones(3))]) == pytest.approx(10 / 6)
    assert pieces.strength_of_one([(torch.ones(1), -torch.ones(1))]) == 0.0 == pieces.strength_of_one([])


def test_prompts_that_a_baseline_refuses_say_nothing_of_its_strength():
    class Table:
        support = staticmethod(lambda table: ())

    def row(length, value):
        return Encoded(SimpleNamespace(prompt=Table), torch.full((length, 192), value), torch.zeros(128))

    def edit(cond, pooled, old, new):
        if len(cond) != 96:
            raise ValueError("of another length")
        return cond + 1, pooled

    capture = SimpleNamespace(plan=SimpleNamespace(table=None, family=FAMILY))
    pairs = [(row(96, 1.0), row(96, 3.0)), (row(156, 1.0), row(156, 7.0))]
    assert pieces.strengths_of_one(capture, pairs, edit)["t5"] == pytest.approx(2)  # the first alone: by 2, edits by 1


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ([1, 2], [1, 3], [(2, 3)]),
        ([1], [1, 3], [(None, 3)]),
        ([1, 2], [2], [(1, None)]),
        ([1, 2], [3, 4], [(1, 3), (2, 4)]),
    ],
)
def test_what_changes(old, new, wanted):
    assert pieces.changes_of(old, new) == wanted


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        # said: concept 0 at 3 in column 0, concept 1 at 4 in column 1; unsaid at 0. Directions are of length 1.
        ([0], [], {0: -1.0}),
        ([], [1], {1: 1.0}),
        ([0], [1], {0: -0.6, 1: 0.8}),
    ],
)
def test_a_control_vector_by_hand(old, new, column):
    # every row is of norm 2 (the pooled vector of 3), and strength 1 is half of it: at 1.5 a direction is 1.5 long
    widths = {**{one.name: one.last - one.first for one in FAMILY.encoders}, "pooled": 128}
    said = {name: torch.zeros(2, width) for name, width in widths.items()}
    for means in said.values():
        means[0, 0], means[1, 1] = 3.0, 4.0
    unsaid = {name: torch.zeros_like(means) for name, means in said.items()}
    model = ControlVectors(FAMILY, said, unsaid, dict.fromkeys(PIECES, 0.5), SHAPE)
    cond, pooled = torch.zeros(SHAPE), torch.zeros(128)
    for encoder, rows in zip(FAMILY.encoders, (slice(0, 48), slice(48, 96)), strict=True):
        cond[rows, encoder.last - 1] = 2.0
    pooled[5] = 3.0
    made, vector = model.edit(cond, pooled, old, new, 1.5)
    for encoder, rows in zip(FAMILY.encoders, (slice(0, 48), slice(48, 96)), strict=True):
        wanted = torch.zeros(encoder.last - encoder.first)
        for at, value in column.items():
            wanted[at] = 1.5 * value
        moved = (made - cond)[rows, encoder.first : encoder.last]
        torch.testing.assert_close(moved, wanted.expand_as(moved))
    assert (vector - pooled)[:2].tolist() == pytest.approx([2.25 * column.get(at, 0.0) for at in (0, 1)])


def test_bare_prompts_leave_a_category_out(learnt):
    plan, hair = learnt.capture.plan, set(learnt.table.categories["hair"])
    some = bare(plan, "hair", 10)
    assert len(some) == 10 and all(hair.isdisjoint(one.support(learnt.table)) for one in some)
    fitted = [entry.prompt for entry in plan.entries if entry.set == "fit"]
    assert len(bare(plan, "hair", 10**6)) == len(fitted)  # each once


def test_a_sparse_direction_keeps_the_latents_that_differ_most():
    # concept 1 less concept 0 is (5, −1, 3) in latents; two of them are kept, twice as long in the second column
    decoder = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    coder = Coder(torch.eye(3), torch.zeros(3), decoder, torch.zeros(3), 2)
    piece = SparsePiece(coder, torch.tensor([[0.0, 1.0, 0.0], [5.0, 0.0, 3.0]]), unit=0.5)
    assert piece.direction([(0, 1)], 2).tolist() == [2.5, 0.0, 3.0]
    assert piece.direction([(0, 1)], 1).tolist() == [2.5, 0.0, 0.0]
    assert piece.direction([(None, 1), (0, None)], 3).tolist() == [2.5, -0.5, 3.0]


def test_a_sparse_direction_goes_to_every_row():
    # each piece's one latent is its first column, of which concept 1 has 2 more than concept 0
    parts = {}
    for name in PIECES:
        width = {"pooled": 128, **{one.name: one.last - one.first for one in FAMILY.encoders}}[name]
        coder = Coder(torch.eye(1, width), torch.zeros(1), torch.eye(1, width), torch.zeros(width), 1)
        parts[name] = SparsePiece(coder, torch.tensor([[1.0], [3.0]]))
    cond = torch.zeros(SHAPE)
    cond[:48, 127], cond[48:, 191] = 1.0, 1.0
    made, vector = SparseDirections(FAMILY, parts, 1, SHAPE).edit(cond, torch.zeros(128), [0], [1], 0.5)
    assert (made - cond)[:, 0].tolist() == [1.0] * 96 and float((made - cond).sum()) == 96.0
    assert vector[0] == 1.0 and float(vector.sum()) == 1.0


@pytest.fixture(scope="module")
def row(learnt):
    """A calibration prompt, its encoding, and what it and its rewrite say."""
    before, after = next(iter(pieces.rewritten(learnt.capture)))
    return before, before.entry.prompt.support(learnt.table), after.entry.prompt.support(learnt.table)


def test_chosen_tokens_by_hand(learnt, row):
    # every phrase's mean token is its number in all columns: the replaced phrase's rows move by what the numbers differ
    before, old, new = row
    plan, table = learnt.capture.plan, learnt.table
    numbers = torch.arange(float(len(table.phrases)))[:, None]
    means = {one.name: numbers.expand(-1, one.last - one.first) for one in plan.family.encoders}
    pooled = torch.arange(float(len(table)))[:, None].expand(-1, 128)
    model = ChosenTokens(plan, means, pooled, {**dict.fromkeys(means, 2.0), "pooled": 1.0})
    made, vector = model.edit(before, old, new, 0.5)
    (at,) = [place for place in range(len(old)) if old[place] != new[place]]
    step = table.first_phrase[new[at]] - before.entry.prompt.mentions[at].phrase
    layouts, wanted = layouts_of(plan, before), torch.zeros(SHAPE)
    for encoder in plan.family.encoders:
        wanted[list(layouts[encoder.name].spans[at].rows), encoder.first : encoder.last] = step
    torch.testing.assert_close(made - before.cond, wanted, atol=1e-4, rtol=0)
    torch.testing.assert_close(vector - before.pooled, torch.full((128,), 0.5 * (new[at] - old[at])), atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match="swap concepts only"):
        model.edit(before, old, old[1:])


def test_poles_beside_the_prompt_by_hand(learnt, row):
    before, old, new = row
    (change,) = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
    made, vector = BesidePrompt(learnt.capture.plan, learnt.host, unit=2.0).edit(before, old, new, 0.5)
    phrases = [learnt.table.phrases[learnt.table.first_phrase[one]].text for one in change]
    (low, high), pooled = learnt.host.encode([f"{before.entry.prompt.text.rstrip('.')}, {one}" for one in phrases])
    torch.testing.assert_close(made, before.cond + high - low, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(vector, before.pooled + 0.5 * (pooled[1] - pooled[0]), atol=1e-5, rtol=1e-5)


def test_poles_move_the_words_alone_if_that_is_chosen(learnt, row):
    before, old, new = row
    every, words = (BesidePrompt(learnt.capture.plan, learnt.host, everywhere=one) for one in (True, False))
    moved, own = (one.edit(before, old, new)[0] - before.cond for one in (every, words))
    same = own != 0
    assert torch.equal(own[same], moved[same]) and 0 < int(same.sum()) < int((moved != 0).sum())


@pytest.mark.slow
@pytest.mark.parametrize("name", TOLD)
def test_who_is_shown_the_words_keeps_the_contract(learnt, row, name):
    before, old, new = row
    seen = []
    fitted = TOLD[name](learnt.capture, learnt.host, progress=lambda *at: seen.append(at))
    assert seen[-1][0] == seen[-1][1]
    same = fitted.edit(before, old, new, 0.0)
    assert same[0] is before.cond and same[1] is before.pooled
    kept = before.cond.clone()
    full, half = (fitted.edit(before, old, new, strength) for strength in (1.0, 0.5))
    assert torch.equal(before.cond, kept), "edited in place"
    torch.testing.assert_close(half[0] - before.cond, (full[0] - before.cond) / 2)


def test_a_prompt_without_room_is_refused(learnt):
    # as many fillers as fill the 48 rows of an encoder: a pole behind them begins another chunk
    prompt = next(entry.prompt for entry in learnt.capture.plan.entries if entry.prompt.mentions)
    long = type(prompt)(
        (*prompt.words, *("picture",) * (46 - sum(learnt.host.counts(prompt.words)["clip"]))), prompt.mentions
    )
    conds, pooled = learnt.host.encode([long.text])
    told = Encoded(Entry(long, "test", learnt.host.counts(long.words)), conds[0], pooled[0])
    old = long.support(learnt.table)
    new = [*old, next(one for one in range(len(learnt.table)) if one not in old)]
    with pytest.raises(ValueError, match="no room for another phrase"):
        BesidePrompt(learnt.capture.plan, learnt.host).edit(told, old, new)
