"""What pairs tell is the same whether rows are at hand or were read before, in another frame."""

from dataclasses import replace

import pytest
import torch

from supsae.supsae_core.dictionary.operator import Operator
from supsae.supsae_core.dictionary.operator_rows import Frame, Spot, swap_code
from supsae.training.operators.samples import PairSample
from supsae.training.operators.told import View, told

SPOT = Spot(
    *((2, 3), 2, torch.tensor([1, 4, 5])),
    *(torch.tensor([1.0, 1.0, 2.0]), torch.tensor([-1.0, 1.0, 1.0]), torch.tensor([1, 1, 2]), (1, 4)),
)


def frames():
    """Two frames of three phrases of two tokens, eight columns of which five directions are seen."""
    drawn = torch.Generator().manual_seed(0)
    inputs, lengths = torch.linalg.qr(torch.randn(8, 5, generator=drawn))[0].T, torch.tensor([2, 2, 2])
    means, centres = torch.randn(2, 3, 2, 8, generator=drawn), torch.randn(2, 8, generator=drawn)
    one = Frame(means[0], lengths, centres[0], torch.tensor([1.5]), inputs)
    return one, Frame(means[1], lengths, centres[1], torch.tensor([0.7]), inputs)


def sample(old, spot):
    drawn = torch.Generator().manual_seed(1)
    rows = [torch.randn(*shape, generator=drawn) for shape in ((7, 8), (3, 8), (2, 8))]
    return PairSample(spot, old, 2, *rows, torch.ones(3))


@pytest.mark.parametrize(("old", "spot"), [(0, SPOT), (None, SPOT._replace(span=()))], ids=["swapped", "added"])
def test_another_frame_sees_what_was_told(old, spot):
    whole, frame = frames()
    outputs = torch.linalg.qr(torch.randn(8, 4, generator=torch.Generator().manual_seed(2)))[0].T
    pair, view = sample(old, spot), View.of(whole, frame, outputs)
    one = told(whole, pair).along(outputs)
    rest, phrase = view.rest(one), view.phrase(one)
    near = {"rtol": 0, "atol": 1e-2}  # half precision of numbers of about 4
    rows = Operator(frame, outputs, None, None).moving(pair.x, range(7))
    residual = rows.residual(spot, old)
    wanted = rows.rest_rows(spot, residual, *swap_code(frame, old, 2))
    for found, right in zip(rest.rows, wanted, strict=True):
        torch.testing.assert_close(found, right, **near)
    for found, right in zip(phrase.rows, rows.phrase_rows(spot, residual, 2), strict=True):
        torch.testing.assert_close(found, right.expand_as(found), **near)
    torch.testing.assert_close(rest.moved, pair.moved @ outputs.T, **near)
    torch.testing.assert_close(phrase.off, (pair.written - frame.phrase_means[2]) @ outputs.T, **near)
    torch.testing.assert_close(phrase.kept, (residual.x @ outputs.T).expand(2, -1), **near)


def test_a_frame_without_a_phrase_does_not_know_its_pairs():
    whole, frame = frames()
    outputs, one = torch.eye(8), told(whole, sample(0, SPOT))
    assert View.of(whole, frame, outputs).knows(one)
    assert not View.of(whole, replace(frame, phrase_tokens=torch.tensor([0, 2, 2])), outputs).knows(one)
