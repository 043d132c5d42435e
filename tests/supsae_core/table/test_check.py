"""What is said of a concept table while it is typed: where it is wrong, and how much can be drawn from it."""

import pytest

from supsae.portraits import captions
from supsae.supsae_core.table.check import describe_table, prompts, spelled
from supsae.supsae_core.table.parsing import LONGEST, dump_table, read_concepts
from supsae.supsae_core.table.paste import rows_of

PLACES = {
    # text: (line, column, what the sentence says), counted by hand from 1
    "hair: [red, blond]\nhat: [cap": (2, 10, "not readable YAML"),
    "hair: [red, blond]\nhair: [a, b]": (2, 1, "written twice"),
    "hair: [red, blond]\n\nhat: [cap]\n": (3, 1, "one concept only"),
    "hair: [red, Red]": (1, 13, "listed twice"),
    "hair:\n  red: [red hair, ginger]\n  blond: [blond, 'ginger']\n": (3, 18, "'ginger' belongs to"),
    "hair:\n  red: [red hair]\n  blond: {a: b}\n": (3, 3, "must be a text or a list"),
    "hair: {red: [a], blond: []}": (1, 18, "no phrase"),
    "hair: {red: a, blond: 'b,'}": (1, 24, "end without any of"),
    "# nothing yet": (1, 1, "empty or not a mapping"),
}


@pytest.mark.parametrize(("text", "place"), PLACES.items(), ids=PLACES)
def test_errors_name_line_and_column(text, place):
    found = describe_table(text)
    assert not found["ok"] and (found["error"]["line"], found["error"]["column"]) == place[:2]
    assert place[2] in found["error"]["message"]


def test_a_table_is_counted():
    # (1 + 2 wordings) · (1 + 3 wordings) = 12: of each category one phrase, or none
    found = describe_table("hair: [red, blond]\nhat: {none: [no hat, bare head], cap: cap}")
    assert found["ok"] and found["error"] is None and found["unspellable"] == []
    assert (found["categories"], found["concepts"], found["phrases"]) == (2, 4, 5)
    assert (found["prompt_count"], found["prompts"]) == (12, "12")
    assert found["summary"] == "2 categories, 4 concepts, 5 phrases · 12 different prompts"


def test_the_example_is_good():
    # phrases of the categories: 8, 7, 6, 3, 6, 8, 6 and 6 are what concepts.yaml lists; with none of each,
    # 9 · 8 · 7 · 4 · 7 · 9 · 7 · 7 = 6,223,392
    table = captions.table()
    assert prompts(table) == 6_223_392
    assert describe_table(dump_table(table))["ok"]


SPELLED = {
    0: "0", 999: "999", 1000: "about 1 thousand", 1234: "about 1.2 thousand", 994_000: "about 990 thousand",
    996_000: "about 1 million", 2_149_000: "about 2.1 million", 4_100_000_000: "about 4.1 billion",
    10**12: "about 1 trillion", 10**18: "more than a quadrillion", 10**400: "more than a quadrillion",
}  # fmt: skip


@pytest.mark.parametrize(("count", "said"), SPELLED.items())
def test_numbers_are_said_as_a_person_says_them(count, said):
    assert spelled(count) == said


def test_what_cannot_be_spelled_is_listed():
    def speller(phrase):
        return [("t5", f"no token for {char!r}") for char in phrase if not char.isascii()]

    found = describe_table("hair: [rød, blond]\nhat: [cap, 目]", speller)
    assert found["unspellable"] == [
        {"phrase": "rød", "encoder": "t5", "why": "no token for 'ø'"},
        {"phrase": "目", "encoder": "t5", "why": "no token for '目'"},
    ]


DOUBLED = "a: &a [x, x]\nb: &b [" + "*a, " * 9 + "*a]\n"
# 28 phrases under each of 40 names under each of 40 categories: 44,800
PHRASES, NAMES = ", ".join(f"x{i}" for i in range(28)), ", ".join(f"n{i}: *p" for i in range(39))
ALIASES = f"a: &m {{p: &p [{PHRASES}], {NAMES}}}\n" + "".join(f"c{i}: *m\n" for i in range(39))
EMPTY = ", ".join(f"n{i}: []" for i in range(200))
HOSTILE = {
    "nested": "[" * 5000,
    "long": "a" * (LONGEST + 1),
    "aliases": DOUBLED + "c: &c [" + "*b, " * 9 + "*b]\nd: [" + "*c, " * 9 + "*c]",
    "aliases of names": ALIASES,
    "aliases of nothing": f"a: &m {{{EMPTY}}}\n" + "".join(f"c{i}: *m\n" for i in range(200)),
    "control": "a: [x, \x00y]",
    "python": "!!python/object/apply:os.system ['true']",
    "name of lists": DOUBLED + "? [*b, *b]\n: [x, y]",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_get_a_short_sentence(text):
    found = describe_table(text)
    assert not found["ok"] and 20 < len(found["error"]["message"]) < 600


def test_what_aliases_make_is_counted_while_it_is_read():
    with pytest.raises(ValueError, match=r"more than 20000 phrases; up to so many are read\. Divide it"):
        read_concepts(ALIASES)  # which holds nothing against each other
    assert len(rows_of(ALIASES)) < 200  # read as a list: cells of its 40 lines
