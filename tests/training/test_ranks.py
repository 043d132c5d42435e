"""Who does what in a fit by ranks, without any."""

import pytest
import torch

from supsae.supsae_core.capture.typed import Typed
from supsae.supsae_core.dictionary.model import POOLED
from supsae.supsae_core.encoders.families import FAMILIES
from supsae.training import distributed, ranks


@pytest.fixture
def as_rank(monkeypatch):
    """Pretend to be one of so many ranks."""

    def pretend(rank, world):
        monkeypatch.setattr(distributed, "rank", lambda: rank)
        monkeypatch.setattr(distributed, "world", lambda: world)

    return pretend


@pytest.mark.parametrize("world", [1, 2, 3, 6])
def test_every_part_and_thing_has_one_rank(as_rank, world):
    names = {*(encoder.name for encoder in FAMILIES["sd3"].encoders), POOLED}
    done, things = [], []
    for rank in range(world):
        as_rank(rank, world)
        done += ranks.own(ranks.parts_of(FAMILIES["sd3"]))
        things += distributed.share_of(range(7))
    assert sorted(done) == sorted(names) and sorted(things) == list(range(7))


def test_the_widest_encoder_is_alone_on_the_last_rank(as_rank):
    # 4096² is more than 768² + 1280² + 2048²: the rank that reports has the three others
    as_rank(0, 2)
    assert ranks.own(ranks.parts_of(FAMILIES["sd3"])) == ["clip_l", "clip_g", POOLED]


@pytest.mark.parametrize("world", [2, 3, 9])
def test_shares_are_the_shards_in_order(learnt, as_rank, world):
    shares = []
    for rank in range(world):
        as_rank(rank, world)
        shares += ranks.own_shards(learnt.capture, "fit")
    assert shares == learnt.capture.shards_of("fit") == [0, 1, 2, 3]  # 200 prompts; 64 a shard


@pytest.mark.slow
def test_what_was_seen_can_be_told(learnt):
    plan, seen = learnt.capture.plan, Typed(learnt.capture.plan)
    rows = list(learnt.capture.read("calibration"))
    for row in rows[1:]:
        seen.rows(row)
    entries, other = [row.entry for row in rows], Typed(plan)
    numbers = seen.numbers(entries)
    assert not numbers[0].any()
    other.learn(entries[1:], numbers[1:])
    for row in rows[1:]:
        assert other.layouts_of(row.entry) == seen.layouts(row)
        assert other.rows(row._replace(cond=torch.zeros(0, 0))) == seen.rows(row)
