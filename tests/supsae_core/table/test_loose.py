"""Words typed where a table is asked for: they are sorted into categories, and the panel says how."""

import pytest

from supsae.supsae_core.table.check import describe_table
from supsae.supsae_core.table.loose import is_loose, understood
from supsae.supsae_core.table.parsing import parse_table

SORTED = {
    # what ends alike excludes one another, anything else is held against its absence
    "one line": ("auburn hair, a crown, azure hair", "hair: auburn hair, azure hair; a crown: a crown, none"),
    "a line each": ("grinning\nin tears", "grinning: grinning, none; in tears: in tears, none"),
    "lines that go on": ("a crown,\ngrinning", "a crown: a crown, none; grinning: grinning, none"),
    "a list": ("- red hair\n- blond hair", "hair: red hair, blond hair"),
    "brackets": ("[red hair, blond hair]", "hair: red hair, blond hair"),
    "quotes": ('"red hair", "blond hair"', "hair: red hair, blond hair"),
    "an absence": ("no hat, smiling", "no hat: no hat, hat; smiling: smiling, none"),
    "one word": ("crown", "crown: crown, none"),
    "twice": ("a crown, grinning, a crown", "a crown: a crown, none; grinning: grinning, none"),
}


@pytest.mark.parametrize(("text", "wanted"), SORTED.values(), ids=SORTED)
def test_words_alone_are_sorted_into_categories(text, wanted):
    found = describe_table(text)
    assert is_loose(text) and found["ok"] and found["sorted"] == wanted


def test_absence_is_said_without_an_article():
    phrases = [phrase.text for phrase in parse_table(understood("a top hat, Some flowers")).phrases]
    assert phrases == ["a top hat", "no top hat", "Some flowers", "no flowers"]


@pytest.mark.parametrize("text", ["hair: red, blond", "hair: [red", "", "# mine", "- hair: [red, blond]"])
def test_any_other_text_stays_what_it_is(text):
    assert not is_loose(text) and understood(text) == text
    assert describe_table(text)["sorted"] == ""
