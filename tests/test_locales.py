"""Translations are whole: every message, node, input and output in every language, with nothing left over."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCALES = ROOT / "locales"
LANGUAGES = sorted(path.name for path in LOCALES.iterdir() if path.name != "en")
SCRIPTS = sorted((ROOT / "web" / "js").glob("*.js"))
LETTERS = {"zh": re.compile("[\u4e00-\u9fff]"), "ja": re.compile("[\u3040-\u30ff\u4e00-\u9fff]")}
"""What a text in the language has at least one of: Han, or Han and kana."""
KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")
SAME = {"cfg", "CLIP", "JSON", "Latent", "pooled", "VAE"}
"""Names that artists leave in English in every language."""
COMPILED = {"display_name", "description", "name"}
"""Fields that the frontend sends through vue-i18n's message compiler; tooltips it shows as they are."""
COMPILER_SYNTAX = re.compile(r"[{}@|$%\\]")
PLACEHOLDER = re.compile(r"\{(\w+)\}")
SAY = re.compile(r"""\bsay\(\s*("[^"]*"|[^\s])\s*(?:,\s*(\{[^{}]*\}|\w+))?""")


def read(language: str, name: str) -> dict:
    def unique(pairs: list[tuple]) -> dict:
        keys = [key for key, _ in pairs]
        assert len(set(keys)) == len(keys), f"{language}/{name} has a key twice: {keys}"
        return dict(pairs)

    return json.loads((LOCALES / language / name).read_text(encoding="utf-8"), object_pairs_hook=unique)


def messages(language: str) -> dict[str, str]:
    return read(language, "main.json")["supsae"]


def leaves(tree: dict, path: tuple = ()) -> list[tuple[tuple, str]]:
    """List all texts with their keys."""
    found = []
    for key, value in tree.items():
        found += leaves(value, (*path, key)) if isinstance(value, dict) else [((*path, key), value)]
    return found


def said() -> list[tuple[str, str | None, str]]:
    """List every call of say(): script, key (None when computed), the values as written."""
    calls = []
    for script in SCRIPTS:
        if script.name == "language.js":  # defines it
            continue
        for first, values in SAY.findall(script.read_text(encoding="utf-8")):
            calls.append((script.name, first.strip('"') if first.startswith('"') else None, values))
    return calls


def test_there_are_languages_scripts_and_messages():
    assert sorted(LETTERS) == LANGUAGES and SCRIPTS and messages("en")
    assert len([key for _, key, _ in said() if key]) > 5


# --- messages of the panels ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_messages_are_the_english_ones_with_the_same_placeholders(language):
    def placeholders(found):
        return {key: sorted(PLACEHOLDER.findall(text)) for key, text in found.items()}

    assert placeholders(messages(language)) == placeholders(messages("en"))


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_messages_are_flat_texts_and_braces_hold_names(language):
    assert set(read(language, "main.json")) <= {"supsae", "supsae_reports", "supsae_templates", "nodeCategories"}
    for key, text in messages(language).items():
        assert isinstance(text, str) and text.strip() == text != "", key
        assert not re.search(r"[{}]", PLACEHOLDER.sub("", text)), key


def test_scripts_say_only_what_exists_and_everything_that_exists():
    english = messages("en")
    assert [(script, key) for script, key, _ in said() if key and key not in english] == []
    # A key that is chosen while running (a lock's state) still stands whole in the script, or nobody could find it.
    quoted = {text for script in SCRIPTS for text in re.findall(r'"(\w+)"', script.read_text(encoding="utf-8"))}
    assert set(english) - quoted == set()


def test_scripts_give_every_placeholder_its_value():
    english = messages("en")
    for script, key, values in said():
        written_out = not values or (values.startswith("{") and "..." not in values)
        given = set(re.findall(r"[{,]\s*(\w+)", values))
        if key and written_out:
            assert set(PLACEHOLDER.findall(english[key])) <= given, f"{script}: {key}"


# --- names and tooltips of the nodes -------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_nodes_have_the_frontends_keys(language):
    for name, node in read(language, "nodeDefs.json").items():
        assert name.startswith("SupSAE_")
        assert (
            {"display_name", "description", "outputs"}
            <= set(node)
            <= {"display_name", "description", "inputs", "outputs"}
        )
        for slot in [*node.get("inputs", {}).values(), *node["outputs"].values()]:
            assert set(slot) == {"name", "tooltip"}, name


def test_languages_have_the_same_nodes_inputs_and_outputs():
    first, *others = (dict(leaves(read(language, "nodeDefs.json"))).keys() for language in LANGUAGES)
    assert others and all(other == first for other in others)


@pytest.mark.parametrize("language", LANGUAGES)
def test_compiled_texts_have_no_message_syntax(language):
    texts = [(path, text) for path, text in leaves(read(language, "nodeDefs.json")) if path[-1] in COMPILED]
    assert texts and [one for one in texts if COMPILER_SYNTAX.search(one[1])] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_tooltips_have_no_message_syntax_but_the_sites(language):
    """Old frontends (1.42) compile tooltips too, and show none where that fails: it stays with the two about sites."""
    texts = [(path, text) for path, text in leaves(read(language, "nodeDefs.json")) if path[-1] == "tooltip"]
    assert {path[2] for path, text in texts if COMPILER_SYNTAX.search(text.replace(" %", ""))} == {
        "record_sites",
        "where_sites",
    }


# --- both ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["main.json", "nodeDefs.json"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_in_its_language(language, name):
    texts = [PLACEHOLDER.sub("", text) for _, text in leaves(read(language, name))]
    said = [text for text in texts if re.search(r"\w", text)]  # some are marks alone
    foreign = [text for text in said if not LETTERS[language].search(text) and text not in SAME]
    assert texts and foreign == []
    # A sentence in Japanese has kana, one in Chinese has none: nothing was pasted into the wrong file.
    if language == "ja":
        assert [text for text in texts if len(text) > 15 and not KANA.search(text)] == []
    else:
        assert [text for text in texts if KANA.search(text)] == []


def test_exceptions_are_used():
    used = {text for language in LANGUAGES for _, text in leaves(read(language, "nodeDefs.json"))}
    assert used >= SAME
