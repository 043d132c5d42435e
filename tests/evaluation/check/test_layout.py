"""What a check says of rows: Portraits' own, and the same with something wrong."""

import math
from dataclasses import replace

import pytest
import torch

from supsae.evaluation.check.layout import check_layout, draw_texts
from supsae.hosts.embedded import PortraitsText
from supsae.portraits import captions
from supsae.supsae_core.encoders.padded import Padded

HOST, TABLE = PortraitsText(), captions.table()
TEXTS = draw_texts(TABLE, captions.WORDING, HOST, 0)


class Changed:
    """Portraits' text encoders, whose rows are changed; ``change`` gets rows (L, width) and the text's number."""

    def __init__(self, change=lambda rows, number: rows, family=HOST.family):
        self.family, self._change, self._asked = family, change, 0

    def counts(self, words):
        return HOST.counts(words)

    def encode(self, texts):
        conds, pooled = HOST.encode(texts)
        made = []
        for cond in conds:
            made.append(self._change(cond, self._asked))
            self._asked += 1
        return made, pooled


def rolled(rows, _):
    """Words of T5 stand a row later than the family says; its last row, a pad, comes first."""
    half = len(rows) - 48
    return torch.cat([rows[:half], rows[half:].roll(1, 0)])


def with_nan(rows, _):
    return rows.index_fill(0, torch.tensor([3]), math.nan)


T5_LONGER = tuple(replace(one, layout=Padded(60)) if one.name == "t5" else one for one in HOST.family.encoders)
LONGER = replace(HOST.family, encoders=T5_LONGER)
WRONG = {
    "a row later": (Changed(rolled), "words", "of"),
    "no number": (Changed(with_nan), "rows", "Some rows hold what is no number"),
    "never the same": (Changed(lambda rows, number: rows + number), "rows", "does not give the same rows twice"),
    "another length": (Changed(family=LONGER), "rows", "The rows are 96, 96"),
}


def found(host, weighted=None):
    return {one.what: one for one in check_layout(host, TEXTS, weighted)}


def test_portraits_is_as_its_family_says():
    made = found(HOST)
    assert [one.holds for one in made.values()] == [True, True, True, None]
    # a chunk of 48 rows and T5's 48; the short prompt fits both, the long one does not
    assert made["rows"].numbers["rows"]["short"] == 96 < made["rows"].numbers["rows"]["long"]
    assert made["words"].numbers["tried"] == len(TEXTS.short.words)


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_crossed(name):
    host, what, told = WRONG[name]
    one = found(host)[what]
    assert one.holds is False and told in one.told


def test_words_that_are_missed_are_named():
    missed = found(Changed(rolled))["words"].numbers["missed"]
    assert missed and all(names == ["t5"] for names in missed.values())


def test_weights_are_told_by_what_they_do():
    plain = HOST.encode([TEXTS.short.text])[0][0]
    seen = []

    def weighted(rows):
        return lambda text: seen.append(text) or rows

    # rows that are 1.1 of what they were moved by a tenth
    assert "moves the rows by 10.0%" in found(HOST, weighted(1.1 * plain))["weights"].told
    assert "weights change nothing" in found(HOST, weighted(plain))["weights"].told
    assert "spelled with 2 more rows" in found(HOST, weighted(torch.cat([plain, plain[:2]])))["weights"].told
    assert all(text.count("(") == 1 and text.count(":1.3)") == 1 for text in seen) and len(seen) == 3
