"""The benchmark of everyone's edits of rows, on Portraits' encoders and few encodings: no figure is judged."""

from functools import partial

import pytest
import torch

from supsae.evaluation.baselines import sparse_direction
from supsae.evaluation.baselines.topk import TopKConfig
from supsae.evaluation.text import rivals
from supsae.evaluation.text.rivals import Rival
from supsae.hosts.embedded import PortraitsText
from supsae.portraits import captions

pytestmark = pytest.mark.slow


def test_best_strengths_are_of_the_calibration_rewrites(benchmark, learnt):
    # who makes half of the rewrite's move, phrase by phrase, is best at twice the strength, and then leaves nothing
    own = benchmark("rivals")
    some = list(own.trials(learnt.capture))[:4]

    def half(asked, before, after):
        trial = next(one for one in some if one.before is before)
        made = before.cond.clone()
        for block in trial.blocks:
            there = after.cond[block.there, block.columns]
            made[block.here, block.columns] = (before.cond[block.here, block.columns] + there) / 2
        return made

    assert own.best_strength(Rival(half), some) == pytest.approx(2.0)
    asked, before, after, blocks = some[0]
    made = own.at_strength(Rival(half), 2.0).edit(asked, before, after)
    for block in blocks:
        there = after.cond[block.there, block.columns]
        torch.testing.assert_close(made[block.here, block.columns], there, atol=1e-5, rtol=1e-5)


def test_everyone_is_judged_at_strength_1_and_at_the_best(benchmark, monkeypatch):
    own = benchmark("rivals")
    few = partial(sparse_direction.fit, config=TopKConfig(steps=20))
    monkeypatch.setitem(rivals.BASELINES, "sparse direction", few)
    found = own.judged(PortraitsText(), captions.table(), 60, 2, 8)
    everyone = {rivals.OURS, rivals.TOLD, rivals.LEVELS, rivals.REPLACE, rivals.SHORTCUT, rivals.DELTA}
    assert found["methods"].keys() == everyone | rivals.BASELINES.keys() | rivals.TOLD_BASELINES.keys()
    for row in found["methods"].values():
        assert row["error"]["count"] == found["cases"] and row["best strength"] >= 0
