"""What the benchmark beside the paper's code reckons by itself; the code is not needed for it."""

from types import SimpleNamespace

import torch


def test_combinations_are_distinct_and_say_one_of_a_category_at_most(benchmark):
    groups = [[0, 1], [2, 3, 4]]
    found = benchmark("paper_code")._combinations(groups, 12)  # three ways for the first, four for the second
    assert len(set(found)) == 12
    assert all(sum(one in group for one in some) <= 1 for some in found for group in groups)


def test_a_prompt_kept_aside_gets_the_mean_features_of_those_that_say_a_concept(benchmark):
    # two concepts of ten features; the second prompt's features of the first concept are not its own
    features = torch.tensor([[2.0] * 10 + [8.0] * 10, [4.0] * 10 + [6.0] * 10, [9.0] * 10 + [5.0] * 10])
    said = torch.tensor([[1, 1], [1, 0], [0, 0]])
    codes = benchmark("paper_code")._mean_codes(SimpleNamespace(Y_with_same=features), said)
    assert torch.equal(codes, torch.tensor([[3.0] * 10, [8.0] * 10]))  # (2 + 4) / 2, and 8
