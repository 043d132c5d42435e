"""Calibration, step by step on numbers that can be followed."""

from dataclasses import replace

import torch

from supsae.supsae_core.encoders.layout import Layout, Roles, Span
from supsae.training.calibration import JUDGED, edits_taken, paired_rows


def test_paired_rows():
    # the new phrase has a token less and the pads one more: what has no partner is left out
    one = Layout((Span(0, (1, 2)), Span(1, (4,))), Roles((0,), (5,), (6, 7), (3,)))
    other = Layout((Span(2, (1,)), Span(1, (3,))), Roles((0,), (4,), (5, 6, 7), (2,)))
    assert paired_rows(one, other) == ([1, 4, 0, 5, 6, 7, 3], [1, 3, 0, 4, 5, 6, 2])


def test_edits_are_judged_by_what_they_read_as(learnt):
    report = learnt.dictionary.report["edits"]
    assert report["count"] == JUDGED == 16 and report["took"] > 0.9
    rows = [one for one in learnt.capture.read() if one.entry.set != "fit"]
    pairs = list(zip(rows[::2], rows[1::2], strict=True))[:4]
    assert [one.entry.set for one in rows[:2]] == ["calibration", "rewrite"] and all(
        edits_taken(learnt.dictionary, pairs)
    )
    # gains of nothing change nothing
    parts = learnt.dictionary.parts.items()
    idle = {name: replace(part, gains=torch.zeros_like(part.gains)) for name, part in parts}
    assert not any(edits_taken(replace(learnt.dictionary, parts=idle, operators={}), pairs))
