"""``supsae search`` as a person types it: prompts in texts and pictures, ranked; and folders that strangers filled."""

import json

import pytest
import torch
from PIL import Image, PngImagePlugin

from supsae.cli import parser, prompt_files, searching
from supsae.cli.prompt_files import FoundPrompt, prompts_in
from supsae.hosts.embedded import PortraitsText
from supsae.portraits.paths import DICTIONARY
from supsae.supsae_core.dictionary.file import load_dictionary

GRAPH = {
    "1": {"class_type": "CLIPTextEncode", "inputs": {"text": "a woman, (scarlet:1.2) and red hair", "clip": ["9", 0]}},
    "2": {"class_type": "KSampler", "inputs": {"positive": ["1", 0], "negative": ["1", 0]}},
}


def picture(path, **texts):
    info = PngImagePlugin.PngInfo()
    for keyword, text in texts.items():
        info.add_text(keyword, text)
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)


@pytest.fixture
def folder(tmp_path):
    """Texts and pictures, some of which say red hair."""
    place = tmp_path / "prompts"
    (place / "below").mkdir(parents=True)
    (place / "a.txt").write_text("a man with blond hair\n\na girl with red hair, smiling\n", encoding="utf-8-sig")
    (place / "below" / "b.caption").write_text("a cat on the mat", encoding="utf-8")
    picture(place / "c.png", prompt=json.dumps(GRAPH))
    picture(place / "d.png", parameters="red_hair, <lora:a:1>\nNegative prompt: hat\nSteps: 20, Sampler: Euler")
    return place


@pytest.fixture
def search(capsys):
    def run(*argv, concept="hair: red"):
        place, *more = argv
        code = parser.main(["search", str(DICTIONARY), concept, str(place), *map(str, more)])
        return code, *capsys.readouterr()

    return run


# --- what is ranked ------------------------------------------------------------------------------------------------


def test_prompts_are_ranked(search, folder):
    code, out, _ = search(folder, "--json")
    found = json.loads(out)
    assert code == 0 and found["version"] == 1 and found["concept"] == "hair: red" and found["left_out"] == []
    places = [(one["file"], one["line"]) for one in found["prompts"]]
    assert sorted(places[:3]) == [("a.txt", 3), ("c.png", None), ("d.png", None)]
    assert places[3:] == [("a.txt", 1), ("below/b.caption", 1)]
    assert [one["says"] for one in found["prompts"]] == [True, True, True, False, False]
    assert found["prompts"][3]["instead"] == ["hair: blond"]
    scores = [one["score"] for one in found["prompts"][:3]]
    assert scores == sorted(scores, reverse=True)


def test_the_table_says_so_in_lines(search, folder):
    code, out, _ = search(folder, "--top", 4)
    head, *lines, last = out.splitlines()
    assert code == 0 and head.split() == ["score", "says", "hair:", "red", "file", "prompt"]
    assert [line.split()[1] for line in lines] == ["yes", "yes", "yes", "hair:"]
    assert last == "4 of 5 prompts shown."


def test_a_score_is_that_of_the_words_alone(folder):
    learnt, host = load_dictionary(DICTIONARY), PortraitsText()
    index = learnt.table.index("hair: red")
    scores, why = searching.scored(learnt, host, index, ["red hair", "red hair", "a cat"])
    assert list(scores) == ["red hair", "a cat"] and why == {}
    with torch.inference_mode():
        assert scores["red hair"] == searching.score(learnt, host.encode(["red hair"])[0][0], index)


def test_a_text_may_be_one_prompt_and_a_folder_one_file(search, folder):
    found, _ = prompts_in(folder / "a.txt", whole=True)
    assert found == [FoundPrompt("a.txt", 0, "a man with blond hair a girl with red hair, smiling")]
    assert len(prompts_in(folder / "c.png", whole=False)[0]) == 1


class Refusing:
    """Portraits' text encoders that refuse one text."""

    family = PortraitsText.family

    def __init__(self):
        self.own = PortraitsText()

    def encode(self, texts):
        if "too long" in texts:
            raise ValueError("This text is too long.")
        return self.own.encode(texts)


def test_one_text_that_cannot_be_encoded_leaves_the_others():
    learnt = load_dictionary(DICTIONARY)
    scores, why = searching.scored(learnt, Refusing(), 0, ["red hair", "too long", "a cat"])
    assert list(scores) == ["red hair", "a cat"]
    assert why == {"too long": "cannot be encoded: This text is too long."}


# --- what is left out or refused -----------------------------------------------------------------------------------


def test_what_strangers_put_there_is_left_out_and_told(search, folder, monkeypatch):
    monkeypatch.setattr(prompt_files, "MOST_LETTERS", 60)
    monkeypatch.setattr(prompt_files, "MOST_FILE", 1000)
    (folder / "e.txt").write_bytes(b"\xff\xfe\x00")
    (folder / "f.txt").write_text("a" * 1001, encoding="utf-8")
    (folder / "g.txt").write_text("a hat\n" + "a" * 61, encoding="utf-8")
    (folder / "h.png").write_bytes(b"no picture")
    picture(folder / "i.png")
    code, out, _ = search(folder, "--json")
    told = {one["file"]: one["why"] for one in json.loads(out)["left_out"]}
    assert code == 0 and told == {
        "e.txt": "is no text in UTF-8",
        "f.txt": "is larger than 0 MB",
        "g.txt:2": "is longer than 60 letters",
        "h.png": "is not a PNG picture",
        "i.png": "says no prompt that it was made from",
    }
    assert "Left out: e.txt is no text in UTF-8" in search(folder)[1]


def test_nothing_steers_the_terminal(search, folder):
    (folder / "a.txt").write_text("red hair \x1b[2J\x9b31m\u202e\x07", encoding="utf-8")
    _, out, _ = search(folder)
    assert all(one.isprintable() or one == "\n" for one in out)


REFUSED = {
    "misspelt": (("hair: rde", "."), "Did you mean 'hair: red'"),
    "nowhere": (("hair: red", "gone"), "There is no "),
    "nothing": (("hair: red", "empty"), "files that end in .txt, .caption, .png are searched"),
    "top": (("hair: red", ".", "--top", -1), "--top is -1. Choose how many prompts to show, 0 for all."),
    "host": (("hair: red", ".", "--host", "none"), "There is no text host 'none'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_is_a_sentence(search, folder, name):
    (folder / "empty").mkdir()
    (concept, place, *more), sentence = REFUSED[name]
    code, _, said = search(folder / place, *more, concept=concept)
    assert code == 2 and sentence in said
