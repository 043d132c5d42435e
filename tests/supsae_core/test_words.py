"""What looks alike is equal, and what no prompt says in words is told."""

import pytest

from supsae.supsae_core.table.concepts import TableError
from supsae.supsae_core.table.parsing import parse_table
from supsae.supsae_core.words import folded, prompt_syntax, unquoted

ALIKE = {
    "composed": ("cafe\u0301 style", "café style"),
    "no width": ("red\u200b ha\u00adir\ufeff", "red hair"),
    "direction": ("\u202ered hair\u202c", "red hair"),
    "blanks": ("red\u00a0\u3000hair\t", "red hair"),
    "a bell": ("red\x07hair", "red hair"),
    "curly quotes": ("“red” girl’s", '"red" girl\'s'),
    "wide": ("ＲＥＤ　ｈａｉｒ：１", "RED hair:1"),
    "other letters stay": ("赤い髪 Ж", "赤い髪 Ж"),
}


@pytest.mark.parametrize(("text", "wanted"), ALIKE.values(), ids=ALIKE)
def test_what_looks_alike_is_equal(text, wanted):
    assert folded(text) == wanted == folded(folded(text))


@pytest.mark.parametrize(("text", "wanted"), [('"red hair"', "red hair"), ("'a'", "a"), ('"a" and "b"', '"a" and "b"')])
def test_quotes_around_the_whole_are_taken_off(text, wanted):
    assert unquoted(text) == wanted


SYNTAX = {
    "(red hair:1.2)": "a prompt weight", "[red:-0.5]": "a prompt weight", "red hair (bright:1.1)": "a prompt weight",
    "(red hair)": "brackets that weigh words", "((red)) hair": "brackets that weigh words",
    "{red|blond} hair": "a wildcard", "__hair/colour__": "a wildcard",
    "<lora:foo:1>": "a tag", "embedding:foo": "an embedding",
    "red hair": "", "crown (golden)": "", "a < b": "", "hair: red": "", "under_score": "",
}  # fmt: skip


@pytest.mark.parametrize(("phrase", "wanted"), SYNTAX.items())
def test_what_is_not_words_is_told(phrase, wanted):
    assert prompt_syntax(phrase) == wanted


REFUSED = {
    'look: {a: "café style", b: "cafe\u0301 style"}': "belongs to 'look: a' and to 'look: b'",
    "hair: [red\u200b hair, red hair]": "listed twice",
    'hair: ["(red hair:1.2)", "red hair"]': "holds a prompt weight, which is not written in words. Write the words",
    'hair: ["{red|blond} hair", "black hair"]': "holds a wildcard",
    'style: ["<lora:foo:1>", "plain style"]': "holds a tag",
    'style: ["embedding:foo", "plain style"]': "holds an embedding",
}


@pytest.mark.parametrize(("text", "message"), REFUSED.items())
def test_a_table_holds_words_that_differ(text, message):
    with pytest.raises(TableError, match=message):
        parse_table(text)


def test_a_table_is_read_as_it_looks():
    table = parse_table("ｈａｉｒ: [“red hair”, “blond hair”,]\n")
    assert [str(one) for one in table.concepts] == ["hair: red hair", "hair: blond hair"]
    assert table.index("HAIR:  red\u00a0hair") == 0
    assert [one.name for one in parse_table("hair: red hair, blond hair,").concepts] == ["red hair", "blond hair"]
