"""The concept table: what is read, what is refused, and that writing it out loses nothing."""

import pytest

from supsae.portraits import captions
from supsae.supsae_core.table.concepts import Concept, ConceptTable, normal
from supsae.supsae_core.table.parsing import dump_table, load_table, parse_table, table_from_mapping

TEXT = """
hair: {red: [red hair, ginger hair], black: black hair}
hat: [no hat, top hat]
"""


def test_order_is_meaning():
    # concepts 0 1 | 2 3; phrases 0 1 (red), 2 (black), 3, 4
    table = parse_table(TEXT)
    assert [str(concept) for concept in table.concepts] == ["hair: red", "hair: black", "hat: no hat", "hat: top hat"]
    assert table.categories == {"hair": (0, 1), "hat": (2, 3)}
    assert table.category_of == (0, 0, 1, 1)
    assert [(phrase.concept, phrase.text) for phrase in table.phrases] == [
        (0, "red hair"), (0, "ginger hair"), (1, "black hair"), (2, "no hat"), (3, "top hat"),
    ]  # fmt: skip
    assert table.first_phrase == (0, 2, 3, 4)
    assert table.phrases[4].words == ("top", "hat")


@pytest.mark.parametrize(
    "form",
    ["a: [one, two]", "a: one, two", "a: {one: one, two: two}", "a: {one: [one], two: [two]}", '{"a": ["one", "two"]}'],
)
def test_all_forms_say_the_same(form):
    assert parse_table(form) == ConceptTable((Concept("a", "one", ("one",)), Concept("a", "two", ("two",))))


def test_words_that_yaml_would_convert_stay_words():
    assert [concept.name for concept in parse_table("a: [no, 1.0, null, 2020-01-01]").concepts] == [
        "no",
        "1.0",
        "null",
        "2020-01-01",
    ]


@pytest.mark.parametrize(
    "table", [parse_table(TEXT), captions.table(), captions.full_table(), parse_table("ä: {ö: [„ü“ x, ß], é: 目}")]
)
def test_dump_is_the_inverse_of_parse(table):
    assert parse_table(dump_table(table)) == table
    assert table_from_mapping(table.to_json()) == table


@pytest.mark.parametrize("spelling", ["hair: red", "Hair:red", "  HAIR :  red "])
def test_spellings_are_read_as_a_person_reads_them(spelling):
    assert parse_table(TEXT).index(spelling) == 0
    assert normal(spelling) == "hair: red"


@pytest.mark.parametrize(
    ("spelling", "message"),
    [
        ("hair: rde", "no concept 'hair: rde'.*Did you mean 'hair: red'"),
        ("top hat", "no concept 'top hat'.*Did you mean 'hat: top hat'"),
        ("coat: red", "'coat: red'.*Did you mean 'hair: red'"),
        ("", "no concept ''.*Write 'category: name'; the categories are: hair, hat"),
        ("xyzzy", "no concept 'xyzzy'.*the categories are: hair, hat"),
    ],
)
def test_unknown_concepts_name_the_nearest(spelling, message):
    with pytest.raises(ValueError, match=message):
        parse_table(TEXT).index(spelling)


def test_categories_are_found_by_name():
    table = parse_table(TEXT)
    assert table.category(" HAT ") == (2, 3)
    with pytest.raises(ValueError, match="no category 'shoes'.*It has: hair, hat"):
        table.category("shoes")


REFUSED = {
    "": "empty or not a mapping",
    "[a, b]": "empty or not a mapping",
    "just words": "empty or not a mapping",
    "a: [x, y": "not readable YAML: line 1, column 9",
    "a: [x, y]\na: [z, w]": "line 2: 'a' is written twice .first in line 1",
    "a: {x: one, x: two}": "'x' is written twice",
    "a: [x, y]\nA: [z, w]": "Category 'A' is listed twice",
    "a: [x, X]": "Concept 'a: X' is listed twice",
    "a: {x: p, y: P}": "'P' belongs to 'a: x' and to 'a: y'",
    "a: {x: [p, p], y: q}": "'p' belongs to 'a: x' and to 'a: x'",
    "a: {x: '', y: q}": "'a: x' has an empty phrase",
    "a: {x: , y: q}": "'a: x' has an empty phrase",
    "a: {x: [], y: q}": "'a: x' has no phrase",
    "a: {x: {z: 1}, y: q}": "phrases of 'a: x' must be a text or a list of texts",
    "a: [x]": "'a' has one concept only",
    "a: []": "concepts of category 'a' must be a list of texts or a mapping",
    "a: [x, y]\nb: {}": "concepts of category 'b' must be a list of texts or a mapping",
    "a:": "needs a category and a name",
    "a: x,": "needs a category and a name",
    "a: [{x: p}, y]": "concepts of category 'a' must be a list of texts or a mapping",
    "a: [[x, y], z]": "concepts of category 'a' must be a list of texts or a mapping",
    "'a:b': [x, y]": "no ':' in the category",
    "a: {x: 1 2 3 4 5 6 7 8 9, y: q}": "more than 8 words",
    "a: {x: 'red hair,', y: q}": "must have letters and end without",
    "a: {x: '-', y: q}": "must have letters",
    "!!python/object:os.system {}": "not readable YAML",
    "hair: [!!timestamp foo, x]": "line 1, column 8: the tag .*timestamp' is not read, remove it",
    "hair: !!map [x, y]": "the tag .*map' is not read",
    "hair: [!!bool maybe, x]": "the tag .*bool' is not read",
    "hair: [!!int '', x]": "the tag .*int' is not read",
    "a: &a {x: y, z: w}\nb: {!!merge x: *a, p: q}": "line 2, column 5: a name must be a text without tags",
    "? [x, y]\n: [z, w]": "line 1, column 3: a name must be a text without tags",
}


@pytest.mark.parametrize("text", REFUSED)
def test_bad_tables_are_refused_with_a_sentence(text):
    with pytest.raises(ValueError, match=REFUSED[text]) as caught:
        parse_table(text)
    assert str(caught.value)[0].isupper() and len(str(caught.value)) > 30


def test_categories_stand_in_one_place():
    with pytest.raises(ValueError, match="Category 'a' is listed twice"):
        ConceptTable(
            tuple(Concept(c, n, (n,)) for c, n in [("a", "1"), ("a", "2"), ("b", "3"), ("b", "4"), ("a", "5")])
        )


def test_files(tmp_path):
    file = tmp_path / "table.yaml"
    file.write_text(TEXT, encoding="utf-8")
    assert load_table(file) == parse_table(TEXT)
    with pytest.raises(ValueError, match="'.*none.yaml' cannot be read: No such file"):
        load_table(tmp_path / "none.yaml")
    file.write_bytes(b"a: [\xff, b]")
    with pytest.raises(ValueError, match="not UTF-8"):
        load_table(file)
