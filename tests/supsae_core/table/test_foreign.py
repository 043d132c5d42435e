"""Phrases about other things: which share words with a table, and that none of them says a concept."""

import numpy as np

from supsae.supsae_core.table import foreign
from supsae.supsae_core.table.parsing import parse_table

TABLE = parse_table("hair: [red hair, blond hair]\nplace: [a lake, a wood]")
PHRASES = ("grey hair", "by a lake", "an old man", "red hair and all", "in a garden")


def drawn(table, phrases=PHRASES, count=200):
    rng = np.random.default_rng(0)
    return [foreign.draw_foreign(table, phrases, rng, 0.5) for _ in range(count)]


def test_some_phrases_share_no_word_with_the_table_but_small_ones():
    assert foreign.apart(TABLE, PHRASES) == ("an old man", "in a garden")  # "a" is shared with "a lake"


def test_about_half_of_what_is_drawn_is_in_the_tables_words_and_nothing_says_a_concept():
    found = drawn(TABLE)
    # 100 ± 7 are tried; a few say "a lake", and fewer fail eight times
    assert 80 < sum(foreign.shares(TABLE, one.split()) for one in found) < 120
    assert not any(foreign.says(TABLE, one) for one in found)
    assert {"grey hair", "an old man", "in a garden", "an red man"} <= set(found)


def test_a_phrase_of_one_word_is_never_borrowed_and_the_word_that_turns_it_round_is():
    table = parse_table("eyes: {glasses: glasses, none: no glasses}")
    assert not any("glasses" in one for one in drawn(table)) and any("no" in one.split() for one in drawn(table))


def test_everyday_things_leave_something_for_any_table():
    words = ", ".join(one for one in foreign.EVERYDAY[::2])
    table = parse_table(f"things: [{words}]")
    assert len(foreign.apart(table, foreign.EVERYDAY)) >= 15
