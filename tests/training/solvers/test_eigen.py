"""Grams of many concepts and few samples, which single precision does not always get through."""

import pytest
import torch

from supsae.training.solvers.eigen import eigh, told_apart


def gram_of(samples, concepts, seed):
    """Of centred labels, a concept in forty samples: rank below ``samples``, all other eigenvalues zero."""
    labels = (torch.rand(samples, concepts, generator=torch.Generator().manual_seed(seed)) < 1 / 40).float()
    labels -= labels.mean(0)
    return labels.T @ labels


@pytest.mark.parametrize("seed", range(4))
def test_a_gram_of_few_samples_is_taken_apart(seed):
    gram = torch.stack([gram_of(samples, 400, seed) for samples in (10, 20)])
    values, vectors = eigh(gram)
    assert values.dtype == vectors.dtype == torch.float32 and bool((values.diff() >= 0).all())
    torch.testing.assert_close(vectors * values[:, None] @ vectors.mT, gram, atol=1e-4, rtol=0)
    # centred labels of n samples have a rank of n - 1 at most
    assert [int((one > 1e-3).sum()) <= rank for one, rank in zip(values, (9, 19), strict=True)] == [True, True]


def test_what_single_precision_gets_through_stays_as_it_is():
    gram = gram_of(60, 12, 0)
    for found, wanted in zip(eigh(gram), torch.linalg.eigh(gram), strict=True):
        assert torch.equal(found, wanted)


def test_numbers_that_are_none_are_not_taken_apart():
    with pytest.raises(torch.linalg.LinAlgError):
        eigh(torch.full((3, 3), torch.nan))


def test_zeros_are_told_apart_by_less_than_single_precision_shows():
    gram = gram_of(20, 400, 0).double()  # rank 19 at most: 381 equal zeros
    assert float((told_apart(gram) - gram).abs().max()) < 1e-9
    values, vectors = torch.linalg.eigh(told_apart(gram))
    torch.testing.assert_close(vectors * values @ vectors.mT, gram, atol=1e-9, rtol=0)
