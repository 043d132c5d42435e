"""Words that the table lacks: where they are looked for, how far they reach, and what is left alone."""

import pytest

from supsae.supsae_core.editing import offered
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Add, Swap
from supsae.supsae_core.editing.outcome import TOOK, WEAK, read_again
from supsae.supsae_core.reading.known_text import KnownText
from supsae.supsae_core.reading.offer import GUESS, TOLD, offer
from supsae.supsae_core.reading.readout import read_conditioning

TEXT = "a portrait of a person with blond hair, a tiara of gold, and blue eyes"
CROWN, TOP_HAT = "hat: crown", "hat: top hat"


@pytest.fixture(scope="module")
def read(learnt):
    """Return `read(text)`: its rows, what is said, and the text itself."""

    def go(text):
        cond = learnt.host.encode([text])[0][0]
        words = tuple(text.split())
        return cond, read_conditioning(learnt.dictionary, cond), KnownText(words, learnt.host.counts(words))

    return go


WIDENED = {  # word of the row, what it is widened to; "blond hair" is taken
    "up to the marks, without the article": (10, "tiara of gold"),
    "up to a joiner": (13, "blue eyes"),
    "an opener": (1, "portrait of a person"),
}


@pytest.mark.parametrize(("word", "said"), WIDENED.values(), ids=WIDENED)
def test_a_row_is_widened_to_its_phrase(learnt, read, word, said):
    _, reading, text = read(TEXT)
    lead = learnt.dictionary.family.encoders[-1]
    (row, *_) = text.rows(lead, reading.rows, range(word, word + 1))
    hair = reading.layouts["t5"].spans[0].rows
    assert text.said(text.widened(lead, reading.rows, row, hair)) == said


def test_a_row_of_no_word_is_widened_to_none(learnt, read):
    _, reading, text = read(TEXT)
    lead = learnt.dictionary.family.encoders[-1]
    assert not text.widened(lead, reading.rows, reading.layouts["t5"].roles.pad[-1], ())


def test_words_are_offered_with_their_rows_in_every_encoder(learnt, read):
    cond, reading, text = read(TEXT)
    made = offer(learnt.dictionary, cond, reading, "hat", text)
    # Six words before blond hair, its comma a token of its own; "a" is the tenth token, so tiara the eleventh.
    first = {"clip": 1 + 10, "t5": reading.rows.own["t5"].start + 10}
    assert made.words == "tiara of gold" and made.how != GUESS
    assert made.rows == {name: tuple(range(row, row + 3)) for name, row in first.items()}
    by_rows = offer(learnt.dictionary, cond, reading, "hat")  # without the text
    assert by_rows.rows[reading.lead][0] in made.rows[reading.lead]


def test_words_may_be_named(learnt, read):
    cond, reading, text = read(TEXT)
    assert offer(learnt.dictionary, cond, reading, "hat", text, "of Gold").words == "of gold"
    assert offer(learnt.dictionary, cond, reading, "hat", text, "of Gold").how == TOLD
    with pytest.raises(ValueError, match="does not say 'a beret'"):
        offer(learnt.dictionary, cond, reading, "hat", text, "a beret")
    with pytest.raises(ValueError, match="text of this conditioning is not known"):
        offer(learnt.dictionary, cond, reading, "hat", None, "of gold")


def test_an_offer_is_taken_only_when_told_to(learnt, read):
    cond, reading, text = read(TEXT)
    edits = [Swap(TOP_HAT)]
    some = offered.offers(learnt.dictionary, cond, reading, edits, text)
    assert list(some) == [TOP_HAT] and some[TOP_HAT].words == "tiara of gold"
    added = apply(learnt.dictionary, cond, None, edits, reading)
    assert [change.old for change in added.changes] == [None]
    (told,) = offered.beside(learnt.dictionary, cond, reading, added.changes)
    assert told.startswith("hat: top hat was added, but rows") and "may speak of hat" in told
    taken = offered.take(learnt.dictionary, reading, some)
    swapped = apply(learnt.dictionary, cond, None, edits, taken)
    assert [learnt.table.concepts[change.old].category for change in swapped.changes] == ["hat"]
    assert offered.beside(learnt.dictionary, cond, taken, swapped.changes) == []
    again = read_again(learnt.dictionary, swapped)
    assert again.outcomes[0].verdict in (TOOK, WEAK)
    assert reading == read_conditioning(learnt.dictionary, cond)  # what was read is not written to


def test_only_what_is_not_found_is_offered(learnt, read):
    cond, reading, text = read(TEXT)
    assert offered.offers(learnt.dictionary, cond, reading, [Swap("hair: red"), Add(CROWN)], text) == {}
    with pytest.raises(ValueError, match="such swaps here: none"):
        offered.offers(learnt.dictionary, cond, reading, [Swap("hair: red")], text, "tiara of gold")


def test_without_a_free_word_there_is_no_offer(learnt, read):
    cond, reading, text = read("red hair")
    assert offer(learnt.dictionary, cond, reading, "hat", text) is None
