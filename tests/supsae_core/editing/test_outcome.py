"""What became of an edit: the verdict on scores, and edits of Portraits' prompts read again."""

import json
from dataclasses import replace

import pytest

from supsae.supsae_core.editing import outcome
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Add, Remove, Scale, Swap
from supsae.supsae_core.editing.outcome import FAILED, TOOK, WEAK, _unasked
from supsae.supsae_core.reading.places import Found
from supsae.supsae_core.table.parsing import table_from_mapping

RED, BLACK, EYES, CROWN, SUIT = "hair: red", "hair: black", "eyes: blue", "hat: crown", "clothing: suit"

SCORES = {  # wanted, rival → verdict; 1 counts as read and written words have 5, so 3 is half way and −3 as far below
    "half way": (3.0, -9.0, TOOK),
    "less": (2.9, -9.0, WEAK),
    "not read, but nothing else is": (0.5, -9.0, WEAK),
    "another value is read": (4.0, 4.5, FAILED),
    "gone": (None, -3.0, TOOK),
    "nearly gone": (None, -2.9, WEAK),
    "still read": (None, 1.0, FAILED),
}


@pytest.mark.parametrize(("wanted", "rival", "made"), SCORES.values(), ids=SCORES)
def test_scores_are_judged(wanted, rival, made):
    assert outcome.verdict(wanted, rival, least=1.0, usual=5.0) == made


@pytest.fixture
def again(learnt, row):
    """Return `again(*edits)`: red hair, blue eyes and a crown after edits, read again."""

    def go(*edits, of=row):
        made = apply(learnt.dictionary, of.cond, of.pooled, edits)
        return outcome.read_again(learnt.dictionary, made)

    return go


EDITS = {
    "swap": (Swap(BLACK), TOOK, ""),
    "swap for a longer phrase": (Swap("haircut: long"), TOOK, ""),
    "a third of a swap": (Swap(BLACK, 0.3), FAILED, "'red hair' reads stronger there than 'black hair'"),
    "half of a swap": (Swap(BLACK, 0.52), WEAK, "'black hair' reads weaker there"),
    "add": (Add(SUIT), TOOK, ""),
    "remove": (Remove(CROWN), TOOK, ""),
    "a third of a removal": (Remove(CROWN, 0.3), FAILED, "'golden crown' can still be told there"),
    "more of it": (Scale(RED, 1.2), TOOK, ""),
    "less of it": (Scale(RED, 0.3), TOOK, ""),
    "away from it": (Swap(BLACK, -0.2), TOOK, ""),
}


@pytest.mark.parametrize(("edit", "verdict", "reason"), EDITS.values(), ids=EDITS)
def test_an_edit_takes_or_says_why_not(learnt, again, edit, verdict, reason):
    found = again(edit)
    (one,) = found.outcomes
    assert (one.verdict, found.unasked) == (verdict, ())
    assert one.reason.startswith(reason) and bool(one.reason) == bool(reason)
    assert len(outcome.tell(learnt.dictionary, found)) == bool(reason)


def test_several_edits_have_an_outcome_each(learnt, again):
    found = again(Swap(BLACK), Remove(CROWN, 0.3), Add(SUIT))
    assert [one.verdict for one in found.outcomes] == [TOOK, FAILED, TOOK]
    made = outcome.to_json(learnt.dictionary, found)
    assert json.loads(json.dumps(made)) == made
    assert [made["outcomes"][0][key] for key in ("old", "new", "outcome", "reason")] == [RED, BLACK, TOOK, ""]
    assert made["readable"]


def test_nothing_asked_is_nothing_told(again):
    assert again(Swap(RED)).outcomes == ()


def test_of_two_mentions_the_one_that_was_not_meant_stays_unblamed(again, person):
    found = again(Swap(BLACK, occurrence=2), of=person(RED, CROWN, RED))
    # the second mention of a category is asked for more before it counts as said, so that it may read as weak
    assert [one.verdict == FAILED for one in found.outcomes] == [False] and found.unasked == ()


def test_rows_that_cannot_be_read_did_not_take(learnt, row):
    made = apply(learnt.dictionary, row.cond, row.pooled, [Swap(BLACK)])
    found = outcome.read_again(learnt.dictionary, made._replace(cond=made.cond * 3))
    assert [one.verdict for one in found.outcomes] == [FAILED] and found.reading is None
    assert "cannot be read any more" in found.outcomes[0].reason
    assert outcome.to_json(learnt.dictionary, found)["outcomes"][0]["score"] is None


def test_what_fills_the_prompts_of_a_quick_concept_is_not_told(paired):
    table = table_from_mapping({"hair": ["red hair", "fair hair"], "other things": ["a hat", "a cat"]})
    before = [Found(0, (1,), 1.0), Found(2, (4,), 1.0)]
    assert [one.category for one in _unasked(replace(paired.dictionary, table=table), before, [])] == ["hair"]
