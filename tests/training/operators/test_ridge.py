"""Kernel ridge regression on landmarks."""

import torch

from supsae.training.operators.ridge import solved_ridge


def test_landmarks_that_are_alike_say_what_one_of_each_says():
    # Landmarks x and 1.00001 x span what x spans: with next to no ridge, y = x a is recovered from either.
    generator = torch.Generator().manual_seed(0)
    rows, planted = torch.randn(300, 8, generator=generator), torch.randn(8, 3, generator=generator)
    some = rows[:40]
    for marks in (some, torch.cat([some, 1.00001 * some, 0.99999 * some])):
        batches = [(part @ marks.T, part @ planted, torch.ones(len(part))) for part in rows.split(64)]
        weights = solved_ridge(batches, marks @ marks.T)(1e-3)
        torch.testing.assert_close(rows @ marks.T @ weights, rows @ planted, rtol=0, atol=5e-3)


def test_a_weight_counts_a_row_so_many_times():
    rows, targets = torch.tensor([[1.0], [1.0]]), torch.tensor([[1.0], [4.0]])
    once = solved_ridge([(rows, targets, torch.tensor([2.0, 1.0]))], torch.ones(1, 1))(0.0)
    # argmin of 2 (1 - w)² + (4 - w)²: w = 2
    torch.testing.assert_close(once, torch.full((1, 1), 2.0), rtol=0, atol=1e-4)
