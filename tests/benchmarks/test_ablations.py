"""The ablations measure what the package does: its own fit with an option changed, judged by its own metrics."""

import importlib
import sys
from pathlib import Path

import pytest

from supsae.evaluation.text.cases import TextConfig

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module("ablations")
    for name in ("ablations", "shared"):
        sys.modules.pop(name, None)


def test_a_level_that_does_nothing_leaves_more_undone(bench, learnt, monkeypatch):
    few = {name: bench.OPTIONS[name] for name in ("as it is", "no effect of context")}
    monkeypatch.setattr(bench, "OPTIONS", few)
    monkeypatch.setattr(bench.shared, "captured", lambda host, folder, size: learnt.capture)
    found = bench.ablate(learnt.host, (200,), TextConfig(8))["200"]
    assert list(found) == ["as it is", "not calibrated", "no effect of context"]
    own, without = (found[name]["parts"]["t5"] for name in ("as it is", "no effect of context"))
    # Without effects a phrase decodes as its mean: all that context does is left, 1 but for chance and rounding.
    assert own["fvu_slot"] < 0.9 and without["fvu_slot"] == pytest.approx(1, abs=0.02)
    assert own["undone"] < without["undone"]
    assert bench.table({"200": found}).count("\n") == 4
