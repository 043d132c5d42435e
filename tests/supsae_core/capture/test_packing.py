"""Rows of a shard on disk: nothing equal twice, no zeros, and back to the last bit; long runs of pads told by a few."""

from dataclasses import replace

import pytest
import torch

from supsae.supsae_core.capture import pads
from supsae.supsae_core.capture.packing import INDEX, LENGTHS, half_type, needed, packed, rows_name, unpacked
from supsae.supsae_core.encoders.base import Encoder, Family
from supsae.supsae_core.encoders.chunked import Chunked
from supsae.supsae_core.encoders.padded import Padded

FAMILY = Family("toy", 6, (Encoder("a", "one", Chunked(5), 0, 3), Encoder("b", "two", Padded(40), 0, 6)))
"""Rows of three columns behind one another, then rows of six."""


def halves(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).half().float()


def conditionings(count=3, length=9):
    """``count`` of them: rows of the first segment, the first of them always the same, a row of zeros, wide rows."""
    made = torch.zeros(count, length, 6)
    made[:, :4, :3] = halves(count, 4, 3)
    made[:, 0] = made[0, 0]
    made[:, 5:] = halves(count, length - 5, 6, seed=1)
    return list(made)


def round_trip(family, conds, runs=None):
    tensors = packed(family, conds, [torch.zeros(0)] * len(conds), runs or [{}] * len(conds))
    rows = {name: tensors[rows_name(name)] for name in family.segments}
    return tensors, [unpacked(family, index, rows) for index in tensors[INDEX].split(tensors[LENGTHS].tolist())]


def test_rows_come_back_to_the_last_bit_and_equal_ones_are_kept_once():
    conds = conditionings()
    tensors, found = round_trip(FAMILY, conds)
    assert all(map(torch.equal, found, conds))
    # 3 · 4 narrow rows, of which three are one; 3 · 4 wide ones; rows 4 are zero
    assert tensors["rows.one"].shape == (10, 3) and tensors["rows.two"].shape == (12, 6)
    assert tensors[INDEX].tolist()[:9] == [0, 1, 2, 3, -1, 10, 11, 12, 13]


def test_rows_that_fit_no_layout_come_back_too():
    wide = replace(FAMILY, width=8)
    conds = [halves(3, 8), torch.zeros(2, 8), halves(1, 8).index_fill(1, torch.tensor([0, 1, 2]), 0)]
    assert all(map(torch.equal, round_trip(wide, conds)[1], conds))
    _, (found,) = round_trip(wide, [torch.cat([halves(2, 8), conds[1]])])
    assert torch.equal(found[:2], halves(2, 8)) and not found[2:].any()


def test_one_is_read_without_the_rows_of_the_others():
    conds, asked = conditionings(), []
    tensors, _ = round_trip(FAMILY, conds)

    def read(segment, first, last):
        asked.append((segment, first, last))
        return tensors[rows_name(segment)][first:last]

    sizes = [len(tensors[rows_name(name)]) for name in FAMILY.segments]
    assert torch.equal(unpacked(FAMILY, *needed(FAMILY, tensors[INDEX][9:18], sizes, read)), conds[1])
    assert asked == [("one", 0, 1), ("one", 4, 7), ("two", 4, 8)]


PRECISIONS = {
    # 1 + 2⁻¹⁰ is float16's next number, 1 + 2⁻⁷ bfloat16's; 2⁻³⁰ lies below float16's least, 2⁻²⁴
    "float16": ([1 + 2**-10], torch.float16),
    "both": ([1 + 2**-7, 0.5], torch.float16),
    "bfloat16": ([1 + 2**-7, 2.0**-30, 2.0**17], torch.bfloat16),
    "neither": ([1 + 2**-10, 2.0**-30], torch.float16),
}


@pytest.mark.parametrize(("numbers", "dtype"), PRECISIONS.values(), ids=PRECISIONS)
def test_half_precision_is_kept_as_it_was_computed(numbers, dtype):
    assert half_type([torch.ones(2), torch.tensor(numbers)]) == dtype
    cond = torch.tensor(numbers + [1.0] * (6 - len(numbers)))[None]
    tensors, (found,) = round_trip(FAMILY, [cond])
    assert tensors["rows.two"].dtype == dtype and torch.equal(found, cond.to(dtype).float())


def test_what_half_precision_cannot_hold_is_refused():
    for wrong in (1e5 + 1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="values beyond half precision"):
            round_trip(FAMILY, [torch.full((2, 6), wrong)])


@pytest.fixture
def few_numbers(monkeypatch):
    monkeypatch.setattr(pads, "LONG", 100)


def test_runs_of_pads_are_known_before_anything_is_encoded(few_numbers):
    # Two chunks of five causal rows, then 40 rows: four words, an end, and 35 pads from row 15 on.
    runs = pads.long_runs(FAMILY, {"a": 4, "b": 4})
    assert {name: run.tolist() for name, run in runs.items()} == {"two": list(range(15, 50))}
    assert not pads.long_runs(FAMILY, {"a": 30, "b": 30})  # nine rows of six are fewer numbers than 100
    assert not pads.long_runs(replace(FAMILY, encoders=FAMILY.encoders[:1]), {"a": 1})  # causal: each is of its own


def test_long_runs_of_pads_keep_their_mean_their_scatter_and_their_order(few_numbers):
    x = torch.randn(35, 6, generator=torch.Generator().manual_seed(0)).double() + 3
    x[:, 0] = torch.arange(35)  # what drifts along the run
    made = pads.thinned(x)
    torch.testing.assert_close(made.mean(0), x.mean(0), rtol=1e-12, atol=0)
    assert len(made.unique(dim=0)) == pads.KEPT
    # Stretches of four or five rows become their middle ones: at most two rows away, and a little for the mean's sake.
    assert float((made - x)[:, 0].abs().max()) < 3
    cond = torch.zeros(50, 6)
    cond[:15, :3], cond[10:15], cond[15:] = halves(15, 3), halves(5, 6), x.float()
    tensors, (found,) = round_trip(FAMILY, [cond], [pads.long_runs(FAMILY, {"a": 4, "b": 4})])
    assert len(tensors["rows.two"]) == 5 + pads.KEPT and torch.equal(found[:15], cond[:15])
    torch.testing.assert_close(found[15:].mean(0), cond[15:].mean(0), rtol=2**-11, atol=2**-11)


def test_pads_that_are_not_there_are_not_thinned(few_numbers):
    cond = torch.zeros(50, 6)  # an encoder that was not loaded
    cond[:10, :3] = halves(10, 3)
    assert torch.equal(round_trip(FAMILY, [cond], [pads.long_runs(FAMILY, {"a": 4, "b": 4})])[1][0], cond)
