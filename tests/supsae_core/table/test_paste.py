"""Pasted lists in every form people have them, merged into a table that loses nothing."""

from pathlib import Path

import pytest

from supsae.portraits import captions
from supsae.supsae_core.table.concepts import TableError
from supsae.supsae_core.table.parsing import parse_table, read_concepts
from supsae.supsae_core.table.paste import UNNAMED, PastedRow, merge_list, rows_of


def row(category, name, *phrases):
    return PastedRow(category, name, phrases or (name,))


HAIR = [row("hair", "red hair"), row("hair", "blond hair")]
GINGER = [row("hair", "red hair", "red hair", "ginger hair"), HAIR[1]]
WORDED = [row("hair", "red", "red hair", "ginger hair"), row("hair", "blond", "blond hair")]
FORMS = {
    "one a line": ("red hair\nblond hair", [row(UNNAMED, "red hair"), row(UNNAMED, "blond hair")]),
    "heading": ("hair:\nred hair\nblond hair\n", HAIR),
    "heading, indented": ("hair:\n  red hair\n  blond hair", HAIR),
    "heading, bullets": ("hair:\n- red hair\n * blond hair", HAIR),
    "heading, numbers": ("hair:\n1. red hair\n2) blond hair", HAIR),
    "bulleted heading": ("- hair:\n  - red hair\n  - blond hair", HAIR),
    "markdown heading": ("## hair\n- red hair\n- blond hair", HAIR),
    "two headings": ("hair:\nred hair\n\nhat:\ncap", [row("hair", "red hair"), row("hat", "cap")]),
    "category: a, b": ("hair: red hair, blond hair", HAIR),
    "category: a | b": ("hair: red hair | blond hair", HAIR),
    "category: a; b": ("hair: red hair; blond hair", HAIR),
    "category: [a, b]": ("hair: [red hair, blond hair]", HAIR),
    "bulleted categories": ("- hair: red hair, blond hair\n- hat: cap", [*HAIR, row("hat", "cap")]),
    "a category twice": ("hair: red hair\nhair: blond hair", HAIR),
    "wordings": ("hair:\nred hair, ginger hair\nblond hair", GINGER),
    "yaml": ("hair:\n  red: [red hair, ginger hair]\n  blond: blond hair\n", WORDED),
    "yaml, commas": ("hair:\n  red: red hair, ginger hair\n  blond: blond hair", WORDED),
    "json": ('{"hair": {"red": ["red hair", "ginger hair"], "blond": ["blond hair"]}}', WORDED),
    "csv with a head": ("category,concept,phrase\nhair,red,red hair,ginger hair\nhair,blond,blond hair", WORDED),
    "csv without": ('hair,red,"red hair","ginger hair"\nhair,blond,blond hair,', WORDED),
    "csv, quoted": ('Category;Concept\nhair;"red hair"\nhair;"blond hair"', HAIR),
    "spreadsheet": ("hair\tred\tred hair\tginger hair\nhair\tblond\tblond hair", WORDED),
    "two columns": ("hair,red hair\nhair,blond hair", HAIR),
    "one line": ("red hair, blond hair", [row(UNNAMED, "red hair"), row(UNNAMED, "blond hair")]),
    "lines that go on": ("red hair,\nblond hair", [row(UNNAMED, "red hair"), row(UNNAMED, "blond hair")]),
    "wordings, no category": ("red hair, ginger hair\nblond hair, golden hair", [
        row(UNNAMED, "red hair", "red hair", "ginger hair"), row(UNNAMED, "blond hair", "blond hair", "golden hair")]),
    "quotes and stops": ('hair:\n"red hair",\n“blond hair”.', HAIR),
    "blanks of the web": ("hair:\r\n\u200bred\u00a0hair\r\n  blond  hair \r\n", HAIR),
    "comments": ("# mine\nhair:\n# ginger?\nred hair\nblond hair", HAIR),
    "other letters": ("髪: 赤い髪, 金髪", [row("髪", "赤い髪"), row("髪", "金髪")]),
    "full-width marks": ("髪：赤い髪、金髪", [row("髪", "赤い髪"), row("髪", "金髪")]),
    "full-width heading": ("髪：\n赤い髪\n金髪", [row("髪", "赤い髪"), row("髪", "金髪")]),
    "Markdown table": ("| category | name | text |\n|---|:--:|---|\n| hair | red | red hair |\n| hair | blond | cap |",
        [row("hair", "red", "red hair"), row("hair", "blond", "cap")]),
    "trailing commas": ("hair: red hair, blond hair,\nhat: cap,", [*HAIR, row("hat", "cap")]),
    "mark of byte order": ("\ufeffcategory;phrase\r\nhair;red hair\r\nhair;blond hair", HAIR),
    "nothing": ("\n  \n", []),
    "punctuation": ("-\n,,\n[]\n:", []),
}  # fmt: skip


@pytest.mark.parametrize(("pasted", "wanted"), FORMS.values(), ids=FORMS)
def test_forms(pasted, wanted):
    assert rows_of(pasted) == wanted


TABLE = """# my table
hair:
  red: [red hair]   # the first
  black: [black hair]

# what to wear
hat: [none, cap]
"""


def test_lines_that_stay_are_not_touched():
    made = merge_list(TABLE, "eyes: green eyes, blue eyes")
    assert made == (TABLE + "eyes:\n  green eyes: [green eyes]\n  blue eyes: [blue eyes]\n", 2, 0)


def test_a_category_that_grows_is_written_anew_and_keeps_its_comments():
    made = merge_list(TABLE, "Hat:\ntop hat\n")
    grown = "hat:\n  none: [none]\n  cap: [cap]\n  top hat: [top hat]\n"
    assert made.text == TABLE.replace("hat: [none, cap]\n", grown)
    assert merge_list(made.text, "Hat:\ntop hat\n") == (made.text, 0, 0)


def test_a_phrase_of_two_lines_is_one_line():
    found = rows_of('hair: {red: ["a\\nb", c], x: y}')
    assert found == [row("hair", "red", "a b", "c"), row("hair", "x", "y")]


ADDED = {  # what is pasted, and the hair afterwards
    "duplicates, wherever they stand": (
        "hair: Red Hair, red hair, blond hair, Blond hair, cap",  # cap is said by a hat
        {"red": ("red hair",), "black": ("black hair",), "blond hair": ("blond hair",)},
    ),
    "further wordings": (
        "category,concept,phrase\nhair,RED,red hair,ginger hair",
        {"red": ("red hair", "ginger hair"), "black": ("black hair",)},
    ),
}


@pytest.mark.parametrize(("pasted", "hair"), ADDED.values(), ids=ADDED)
def test_only_what_is_new_is_added(pasted, hair):
    made = merge_list(TABLE, pasted)
    assert made.added == 1
    assert {one.name: one.phrases for one in parse_table(made.text).concepts if one.category == "hair"} == hair


STARTS = {
    "nothing": ("", ""),
    "comments": ("# mine\n", "# mine\n"),
    "brackets": ('{"hair": ["red", "black"]}', ""),
    "indented": ("  hair: [red, black]\n", ""),
    "no line end": ("hair: [red, black]", "hair: [red, black]\n"),
    "anchors": ("hair: &x [red, black]\n", "hair: &x"),
    "ended": ("hair: [red, black]\n...\n", "hair:\n"),
    "windows": ("hair: [red, black]\r\n", "hair: [red, black]\r\n"),
}


@pytest.mark.parametrize(("text", "kept"), STARTS.values(), ids=STARTS)
def test_every_table_can_be_added_to(text, kept):
    made = merge_list(text, "hat: cap, none")
    before, after = read_concepts(text) if ":" in text else (), read_concepts(made.text)
    assert after[: len(before)] == before and made.text.startswith(kept)
    assert [str(one) for one in after[len(before) :]] == ["hat: cap", "hat: none"]


def test_anchors_of_a_category_that_grows():
    made = merge_list("hair: &x\n  red: &y [red]\n  black: [black]\nhat: {cap: [cap], none: [no hat]}\n", "hair: blond")
    assert [str(one) for one in parse_table(made.text).concepts][:3] == ["hair: red", "hair: black", "hair: blond"]
    # the alias in hat points into hair, which is written anew: all of it is
    leaning = "a:\n  x: &p [one]\n  y: [two]\nb:\n  z: [three]\n  u: [four]\nc: {v: [five], w: [six]}\n"
    assert len(parse_table(merge_list(leaning, "a: seven").text)) == 7


ODD = ["- dash", "yes: no", "#1 fan", "it's", 'say "hi"', "[x]", "null", "~5", "5", "x#y", "50% grey", "* star", "é目"]


@pytest.mark.parametrize("name", ODD)
def test_names_are_quoted_where_yaml_needs_it(name):
    quoted = name.replace('"', '""')
    made = merge_list("", f'category\tconcept\tphrase\nkind\t"{quoted}"\tfirst\nkind\tother\tsecond')
    assert [one.name for one in read_concepts(made.text)] == [name.strip('"'), "other"]


def test_the_example_and_what_is_wrong():
    example = Path(captions.__file__).with_name("concepts.yaml").read_text(encoding="utf-8")
    made = merge_list(example, "shoes: red boots, bare feet")
    assert made.text.startswith(example) and parse_table(made.text)
    with pytest.raises(TableError, match="nothing in this list"):
        merge_list(example, " \n")
    with pytest.raises(TableError, match="not readable YAML") as caught:
        merge_list("hair: [", "a: b, c")
    assert caught.value.place is not None
    with pytest.raises(TableError, match="characters; up to"):
        merge_list("", "x" * 200_000)


def test_what_can_be_true_at_once_is_sorted_into_categories():
    pasted = "red hair\nblond hair, golden hair\nfreckles\ntop hat"
    one = merge_list("", pasted)
    assert one.loose == 4 and list(parse_table(one.text).categories) == [UNNAMED]
    made = parse_table(merge_list("", pasted, apart=True).text)
    said = {category: [made.concepts[i].phrases for i in members] for category, members in made.categories.items()}
    assert said == {
        "hair": [("red hair",), ("blond hair", "golden hair")],
        "freckles": [("freckles",), ("no freckles",)],
        "top hat": [("top hat",), ("no top hat",)],
    }
    assert merge_list("", "hair: red, blond", apart=True).loose == 0
