"""The concept table: what is read, what is refused, and that writing it out loses nothing."""

import pytest

from supsae.portraits import captions
from supsae.supsae_core.table.concepts import Concept, ConceptTable, normal, spaced
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
    names = ["no", "1.0", "null", "2020-01-01"]
    assert [concept.name for concept in parse_table(f"a: [{', '.join(names)}]").concepts] == names


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
        ("coat: red", "'coat: red'.*Did you mean 'hair: red'"),
        ("", "no concept ''.*Write 'category: name'; the categories are: hair, hat"),
    ],
)
def test_unknown_concepts_name_the_nearest(spelling, message):
    with pytest.raises(ValueError, match=message):
        parse_table(TEXT).index(spelling)


def test_categories_are_found_by_name_and_stand_in_one_place():
    assert parse_table(TEXT).category(" HAT ") == (2, 3)
    with pytest.raises(ValueError, match="no category 'shoes'.*It has: hair, hat"):
        parse_table(TEXT).category("shoes")
    with pytest.raises(ValueError, match="Category 'a' is listed twice"):
        ConceptTable(tuple(Concept(category, name, (name,)) for category, name in zip("aabba", "12345", strict=True)))


REFUSED = {
    "": "empty or not a mapping",
    "a: [x, y": "not readable YAML: line 1, column 9",
    "a: [x, y]\nA: [z, w]": "Category 'A' is listed twice",
    "a: {x: p, y: P}": "'P' belongs to 'a: x' and to 'a: y'",
    "a: {x: '', y: q}": "'a: x' has an empty phrase",
    "a: [x]": "'a' has one concept only",
    "a: []": "concepts of category 'a' must be a list of texts or a mapping",
    "a: [[x, y], z]": "concepts of category 'a' must be a list of texts or a mapping",
    "a: {x: '-', y: q}": "must have letters",
    "a: {x: [p, p], y: q}": "'p' belongs to 'a: x' and to 'a: x'",
    "a:": "needs a category and a name",
    "'a:b': [x, y]": "no ':' in the category",
    "a: {x: 1 2 3 4 5 6 7 8 9, y: q}": "more than 8 words",
    "!!python/object:os.system {}": "not readable YAML",
    "hair: [!!timestamp foo, x]": "line 1, column 8: the tag .*timestamp' is not read, remove it",
    "a: &a {x: y, z: w}\nb: {!!merge x: *a, p: q}": "line 2, column 5: a name must be a text without tags",
    "? [x, y]\n: [z, w]": "line 1, column 3: a name must be a text without tags",
}


@pytest.mark.parametrize(("text", "message"), REFUSED.items())
def test_bad_tables_are_refused_with_a_sentence(text, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse_table(text)
    assert str(caught.value)[0].isupper() and len(str(caught.value)) > 30


def test_files(tmp_path):
    file = tmp_path / "table.yaml"
    file.write_text(TEXT, encoding="utf-8")
    assert load_table(file) == parse_table(TEXT)
    with pytest.raises(ValueError, match="'.*none.yaml' cannot be read: No such file"):
        load_table(tmp_path / "none.yaml")
    file.write_bytes(b"a: [\xff, b]")
    with pytest.raises(ValueError, match="neither UTF-8 nor marked UTF-16"):
        load_table(file)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_files_are_read_in_the_encodings_that_editors_write(tmp_path, encoding):
    mark = "" if encoding in ("utf-8", "utf-8-sig", "utf-16") else "\ufeff"
    (tmp_path / "table.yaml").write_bytes((mark + TEXT).encode(encoding))
    assert load_table(tmp_path / "table.yaml") == parse_table(TEXT)


@pytest.mark.parametrize(
    ("typed", "read"), [("red_hair, top__hat", "red hair, top hat"), ("_odd_ _", "_odd_ _"), ("no tag", "no tag")]
)
def test_tags_are_read_as_the_words_of_phrases(typed, read):
    assert spaced(typed) == read
