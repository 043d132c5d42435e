"""The ablations measure what the package does: its own fit with an option changed, judged by its own metrics."""

import pytest

from supsae.evaluation.text.cases import TextConfig

pytestmark = pytest.mark.slow


def test_a_level_that_does_nothing_leaves_more_undone(benchmark, learnt, monkeypatch):
    bench = benchmark("ablations")
    few = {name: bench.OPTIONS[name] for name in ("as it is", "no effect of context")}
    monkeypatch.setattr(bench, "OPTIONS", few)
    monkeypatch.setattr(bench.shared, "captured", lambda *asked: learnt.capture)
    found = bench.ablate(learnt.host, (200,), TextConfig(8))
    assert list(found["200"]) == ["as it is", "not calibrated", "no effect of context"]
    own, without = (found["200"][name]["unseen"] for name in few)
    # Without effects a phrase decodes as its mean: all that context does is left, 1 but for chance and rounding.
    assert own["clip fvu_slot"] < 0.95 and without["clip fvu_slot"] == pytest.approx(1, abs=0.02)
    assert own["clip undone"] < without["clip undone"]
    assert bench.table(found).count("\n") == 4
