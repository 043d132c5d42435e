"""What the scale benchmark reckons, and that its stand-in is what SD3.5's encoders are in shape."""

import pytest
import torch


def test_exponents_by_hand(benchmark):
    scale = benchmark("scale")
    assert scale.exponent([1, 10, 100], [2, 20, 200]) == pytest.approx(1)
    rows = [
        {"prompts": prompts, "concepts": 14, "levels": {"cpu_seconds": prompts**1.5, "memory_gb": 2.0}}
        for prompts in (100, 400)
    ] + [{"prompts": 400, "concepts": 100, "levels": {"cpu_seconds": 1.0, "memory_gb": 1.0}}]
    assert scale.exponents(rows, "prompts", 14) == {"cpu_seconds": 1.5, "memory_gb": 0.0}


def test_the_stand_in_says_the_same_again_and_its_causal_rows_hear_what_stands_before_them(benchmark):
    host = benchmark("stand_in").StandIn()
    (one, longer, again), (vector, other, _) = host.encode(["red hair", "red hair, hat", "red hair"])
    assert one.shape == (333, 4096) and vector.shape == (2048,) and torch.equal(one, again)
    assert not one[:77, 2048:].any() and not torch.equal(vector, other)
    # noise apart, a text that goes on changes no row before that; a bidirectional encoder's all
    table = benchmark("stand_in").table(12, 4)
    assert len(table) == 12 and [len(some) for some in table.categories.values()] == [4, 4, 4]
    host.family.require_room({name: sum(some) for name, some in host.counts(["red", "hair,"]).items()}, "red hair,")
    assert host.counts(["red", "extraordinary,"])["clip_l"] == (1, 3)  # eight letters more and a mark
    assert torch.equal(longer[0], one[0])  # the start
