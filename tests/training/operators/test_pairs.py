"""Which phrase a rewrite changed, and which rows of both stand for one another."""

import pytest

from supsae.supsae_core.encoders.layout import Layout, Roles, Span
from supsae.supsae_core.table.prompts import Mention, Prompt
from supsae.training.operators.pairs import RewritePair, aligned_rows, changed_mentions, pairs_of


def prompt(*phrases):
    """A prompt of one word a phrase."""
    return Prompt(tuple(map(str, phrases)), tuple(Mention(one, at, at + 1) for at, one in enumerate(phrases)))


CHANGES = {
    "swapped": ((1, 2, 3), (1, 5, 3), (1, 1)),
    "deleted": ((1, 2, 3), (1, 3), (1, None)),
    "added": ((1, 2), (1, 2, 3), (None, 2)),
    "two at once": ((1, 2, 3), (4, 5, 3), None),
    "nothing": ((1, 2), (1, 2), None),
    "another order": ((1, 2), (2, 1), None),
}


@pytest.mark.parametrize(("one", "other", "places"), CHANGES.values(), ids=CHANGES)
def test_what_changed(one, other, places):
    assert changed_mentions(prompt(*one), prompt(*other)) == places
    back = None if places is None else places[::-1]
    assert changed_mentions(prompt(*other), prompt(*one)) == back


def layout(words, spans, rows=12):
    """Start, that many words of which some are spans, an end, pads."""
    taken = {row for span in spans for row in span}
    other = tuple(row for row in range(1, 1 + words) if row not in taken)
    roles = Roles(start=(0,), end=(1 + words,), pad=tuple(range(2 + words, rows)), other=other)
    return Layout(tuple(Span(number, span) for number, span in enumerate(spans)), roles)


# Words stand in rows 1, 2, …, the end behind them; at "|" the change.
ROWS = {
    # a b | c d e  →  a | c d e: one token less, and all behind it stand one row earlier
    "shorter": (layout(5, [(2, 3)]), layout(4, [(2,)]), 0, 0, {1: 1, 4: 3, 5: 4, 0: 0, 6: 5, 7: 6}, 2),
    # a | b  →  a | b , c: a comma and a phrase written behind
    "added behind": (layout(2, []), layout(4, [(4,)]), None, 0, {1: 1, 2: 2, 0: 0, 3: 5, 4: 6}, 3),
    # the same undone: what was deleted stood in row 4
    "deleted behind": (layout(4, [(4,)]), layout(2, []), 0, None, {1: 1, 2: 2, 0: 0, 5: 3, 6: 4}, 4),
    # a | b  →  a c | b: the way back from a deletion amid the words
    "added amid": (layout(2, []), layout(3, [(2,)]), None, 0, {1: 1, 2: 3, 0: 0, 3: 4, 4: 5}, 2),
}


@pytest.mark.parametrize(("before", "after", "old", "new", "wanted", "first"), ROWS.values(), ids=ROWS)
def test_rows_stand_for_one_another(before, after, old, new, wanted, first):
    found = aligned_rows(RewritePair(None, None, old, new), before, after)
    rows = dict(zip(found.here, found.there, strict=True))
    assert {here: rows[here] for here in wanted} == wanted
    assert found.first == first


def test_rewrites_follow_their_prompt_in_both_directions_and_share_its_fold(paired):
    found = list(pairs_of(row for row in paired.capture.read() if row.entry.set == "fit"))
    entries = [entry for entry in paired.capture.plan.entries if entry.of]
    assert len(found) == 2 * len(entries) > 0
    for one, back in zip(found[::2], found[1::2], strict=True):
        assert (one.before, one.after, one.old, one.new) == (back.after, back.before, back.new, back.old)
        assert one.root == back.root == one.before.entry.prompt.text
