"""A prompt word by word: what is read in it, what it may mean, and every word once."""

import pytest

from supsae.supsae_core.editing import offered
from supsae.supsae_core.reading.known_text import KnownText
from supsae.supsae_core.reading.readout import read_conditioning
from supsae.supsae_core.reading.wording import SAID, Piece, pieces


@pytest.fixture(scope="module")
def cut(learnt):
    """Return `cut(text)`: its pieces."""

    def go(text, said=None):
        words = tuple((said or text).split())
        cond = learnt.host.encode([text])[0][0]
        known = KnownText(words, learnt.host.counts(words))
        return pieces(learnt.dictionary, cond, read_conditioning(learnt.dictionary, cond), known)

    return go


def test_what_is_read_is_told_from_what_is_not(cut):
    assert cut("a drawing of someone with red hair, in a frame, happy smile.") == [
        Piece("a drawing of someone with"), Piece("red hair,", "hair", "red", SAID), Piece("in a frame,"),
        Piece("happy smile.", "expression", "smile", SAID),
    ]  # fmt: skip


TEXTS = (
    "a portrait of a person with blond hair, a tiara of gold, and blue eyes",
    "red hair",
    "nothing of it at all",
    "(red hair) and green eyes!",
    "red hair, red hair, " * 12,
    "a girl , cap , in the style of , seaside .",  # marks that stand alone
    ", , ,",
)


@pytest.mark.parametrize("text", TEXTS)
def test_every_word_is_in_one_piece_in_order(cut, text):
    found = cut(text)
    assert " ".join(one.text for one in found) == " ".join(text.split())
    assert all(bool(one.category) == bool(one.concept) == bool(one.how) for one in found)


def test_another_text_than_that_of_the_rows_is_not_shown(cut):
    assert cut("a person with red hair", said="a person with red hair and more") == []
    assert cut("") == []


TIARA = "a portrait of a person with blond hair, a tiara of gold, and blue eyes"


@pytest.mark.parametrize(
    ("told", "hats", "line"),
    [
        ({"hat": "tiara of gold"}, 1, None),
        ({"Hat": "Tiara of  gold,"}, 1, None),  # names and words are compared as everywhere
        ({"hair": "tiara of gold"}, 0, None),  # hair is read already
        ({"hat": "bowler"}, 0, "hat: The prompt does not say 'bowler'. It says 'a portrait"),
    ],
)
def test_words_are_taken_for_what_a_person_says_they_are(learnt, told, hats, line):
    table, words = learnt.table, tuple(TIARA.split())
    cond = learnt.host.encode([TIARA])[0][0]
    reading = read_conditioning(learnt.dictionary, cond)
    known = KnownText(words, learnt.host.counts(words))
    crown = table.index("hat: crown")
    after, lines = offered.taught(learnt.dictionary, cond, reading, told, dict.fromkeys(told, crown), known)
    said = [table.concepts[one] for one in after.concepts(learnt.dictionary)]
    assert [one.category for one in said].count("hat") == hats and len(said) == 2 + hats
    assert table.concepts[crown] not in said  # which is to be said there, so it must be something else before
    assert len(lines) == bool(line) and (line or "") in "".join(lines)
    assert hats or after == reading


@pytest.mark.parametrize("text", [None, "a {tiara|hat} of gold"])  # as a wildcard node has it
def test_words_of_a_text_that_is_not_known_are_a_line(learnt, text):
    cond = learnt.host.encode([TIARA])[0][0]
    reading = read_conditioning(learnt.dictionary, cond)
    words = (text or "").replace("{tiara|hat}", "tiara").split()
    known = KnownText(tuple(words), learnt.host.counts(words)) if text else None
    same, lines = offered.taught(learnt.dictionary, cond, reading, {"hat": "tiara"}, {}, known)
    assert same is reading
    assert lines == ["hat: The words 'tiara' cannot be found: the text of this conditioning is not known."]
