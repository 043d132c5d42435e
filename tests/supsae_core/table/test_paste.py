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
    "one": ("red hair", [row(UNNAMED, "red hair")]),
    "heading": ("hair:\nred hair\nblond hair\n", HAIR),
    "heading, indented": ("hair:\n  red hair\n  blond hair", HAIR),
    "heading, bullets": ("hair:\n- red hair\n- blond hair", HAIR),
    "heading, stars": ("hair:\n * red hair\n * blond hair", HAIR),
    "heading, dots": ("hair:\n • red hair\n • blond hair", HAIR),
    "heading, numbers": ("hair:\n1. red hair\n2) blond hair", HAIR),
    "bulleted heading": ("- hair:\n  - red hair\n  - blond hair", HAIR),
    "markdown heading": ("## hair\n- red hair\n- blond hair", HAIR),
    "two headings": ("hair:\nred hair\n\nhat:\ncap", [row("hair", "red hair"), row("hat", "cap")]),
    "category: a, b": ("hair: red hair, blond hair", HAIR),
    "category: a; b": ("hair: red hair; blond hair", HAIR),
    "category: a | b": ("hair: red hair | blond hair", HAIR),
    "category: [a, b]": ("hair: [red hair, blond hair]", HAIR),
    "bulleted categories": ("- hair: red hair, blond hair\n- hat: cap", [*HAIR, row("hat", "cap")]),
    "a category twice": ("hair: red hair\nhair: blond hair", HAIR),
    "wordings": ("hair:\nred hair, ginger hair\nblond hair", GINGER),
    "bulleted wordings": ("hair:\n- red hair, ginger hair\n- blond hair", GINGER),
    "yaml": ("hair:\n  red: [red hair, ginger hair]\n  blond: blond hair\n", WORDED),
    "yaml, commas": ("hair:\n  red: red hair, ginger hair\n  blond: blond hair", WORDED),
    "json": ('{"hair": {"red": ["red hair", "ginger hair"], "blond": ["blond hair"]}}', WORDED),
    "csv with a head": ("category,concept,phrase\nhair,red,red hair,ginger hair\nhair,blond,blond hair", WORDED),
    "csv without": ("hair,red,red hair,ginger hair\nhair,blond,blond hair", WORDED),
    "csv, empty cells": ("hair,red,red hair,ginger hair\nhair,blond,blond hair,", WORDED),
    "csv, quoted": ('Category;Concept\nhair;"red hair"\nhair;"blond hair"', HAIR),
    "csv, a comma in quotes": ('hair,red,"red hair","ginger hair"\nhair,blond,"blond hair"', WORDED),
    "spreadsheet": ("hair\tred\tred hair\tginger hair\nhair\tblond\tblond hair", WORDED),
    "two columns": ("hair,red hair\nhair,blond hair", HAIR),
    "wordings, no category": ("red hair, ginger hair\nblond hair, golden hair", [
        row(UNNAMED, "red hair", "red hair", "ginger hair"), row(UNNAMED, "blond hair", "blond hair", "golden hair")]),
    "quotes and stops": ('hair:\n"red hair",\n“blond hair”.', HAIR),
    "blanks of the web": ("hair:\r\n\u200bred\u00a0hair\r\n  blond  hair \r\n", HAIR),
    "comments": ("# mine\nhair:\n# ginger?\nred hair\nblond hair", HAIR),
    "other letters": ("髪: 赤い髪, 金髪", [row("髪", "赤い髪"), row("髪", "金髪")]),
    "nothing": ("\n  \n", []),
    "punctuation": ("-\n,,\n[]\n:", []),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_forms(form):
    pasted, wanted = FORMS[form]
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
    assert made.added == 2
    assert made.text == TABLE + "eyes:\n  green eyes: [green eyes]\n  blue eyes: [blue eyes]\n"


def test_a_category_that_grows_is_written_anew_and_keeps_its_comments():
    made = merge_list(TABLE, "Hat:\ntop hat\n")
    assert made.text == TABLE.replace(
        "hat: [none, cap]\n", "hat:\n  none: [none]\n  cap: [cap]\n  top hat: [top hat]\n"
    )
    assert merge_list(made.text, "Hat:\ntop hat\n") == (made.text, 0)


def test_a_phrase_of_two_lines_is_one_line():
    found = rows_of('hair: {red: ["a\\nb", c], x: y}')
    assert found == [row("hair", "red", "a b", "c"), row("hair", "x", "y")]


def test_duplicates_are_left_out_wherever_they_stand():
    made = merge_list(TABLE, "hair: Red Hair, red hair, blond hair, Blond hair, cap")
    assert made.added == 1  # blond hair; cap is said by a hat
    assert [str(one) for one in parse_table(made.text).concepts if one.category == "hair"] == [
        "hair: red", "hair: black", "hair: blond hair",
    ]  # fmt: skip


def test_a_concept_gets_further_wordings():
    made = merge_list(TABLE, "category,concept,phrase\nhair,RED,red hair,ginger hair")
    assert made.added == 1
    assert parse_table(made.text).concepts[0].phrases == ("red hair", "ginger hair")


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


@pytest.mark.parametrize("start", STARTS)
def test_every_table_can_be_added_to(start):
    text, kept = STARTS[start]
    made = merge_list(text, "hat: cap, none")
    before = read_concepts(text) if ":" in text else ()
    assert read_concepts(made.text)[: len(before)] == before
    assert [str(one) for one in read_concepts(made.text)[len(before) :]] == ["hat: cap", "hat: none"]
    assert made.text.startswith(kept)


def test_anchors_of_a_category_that_grows():
    made = merge_list("hair: &x\n  red: &y [red]\n  black: [black]\nhat: {cap: [cap], none: [no hat]}\n", "hair: blond")
    assert [str(one) for one in parse_table(made.text).concepts][:3] == ["hair: red", "hair: black", "hair: blond"]
    # the alias in hat points into hair, which is written anew: all of it is
    leaning = "a:\n  x: &p [one]\n  y: [two]\nb:\n  z: [three]\n  u: [four]\nc: {v: [five], w: [six]}\n"
    assert len(parse_table(merge_list(leaning, "a: seven").text)) == 7


ODD = [
    "- dash",
    "yes: no",
    "#1 fan",
    "it's",
    'say "hi"',
    "a: b",
    "[x]",
    "null",
    "~5",
    "5",
    "x#y",
    "50% grey",
    "ünï",
    "* star",
    "é目",
]


@pytest.mark.parametrize("name", ODD)
def test_names_are_quoted_where_yaml_needs_it(name):
    made = merge_list(
        "", f'category\tconcept\tphrase\nkind\t"{name.replace(chr(34), chr(34) * 2)}"\tfirst\nkind\tother\tsecond'
    )
    names = [one.name for one in read_concepts(made.text)]
    assert len(names) == 2 and names[0] == name.strip('"')


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
