"""``supsae eval`` as a person types it: what it writes, what it says, and what it refuses."""

import json
from dataclasses import replace

import pytest

from supsae.cli import parser
from supsae.evaluation.pictures import parts, run
from supsae.evaluation.pictures.parts import Size
from supsae.portraits import captions
from supsae.portraits.paths import DICTIONARY
from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary

pytestmark = pytest.mark.slow


def typed(capsys, *argv):
    code = parser.main(["eval", *map(str, argv)])
    return code, *capsys.readouterr()


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(parts.SIZES, "quick", Size(headline=1, text=4))
    monkeypatch.setattr(run, "PROBE", 1)


def test_a_run_says_what_it_takes_and_where_the_report_lies(tiny, capsys, tmp_path):
    code, out, _ = typed(capsys, "--quick", "--parts", "headline", "--out", tmp_path)
    found = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert code == 0 and "pictures at most" in out and str(tmp_path / "report.html") in out
    assert found["sections"].keys() == {"headline"} and found["sections"]["headline"]["rows"]["SupSAE"]["count"] == 1
    assert (
        len(list(tmp_path.rglob("pictures/*/*.png"))) == 6
    )  # no edit, the phrase deleted; rewrite and SupSAE, with the lock and without


def test_without_pictures_the_text_side_is_judged(tiny, capsys, tmp_path):
    code, _, _ = typed(capsys, "--quick", "--no-pictures", "--out", tmp_path)
    made = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert code == 0 and made["sections"].keys() == {"text"} and not list(tmp_path.rglob("pictures/*"))


def renamed():
    first, *rest = captions.table().concepts
    return type(captions.table())((replace(first, name="swamp"), *rest))


BAD = {
    "size": (("--size", "huge"), "--size is 'huge'. Choose one of: quick, medium, full."),
    "part": (("--quick", "--parts", "beauty"), "The scoreboard has no part 'beauty'. Parts are: text, headline"),
    "no such file": (("missing.safetensors",), "missing.safetensors"),
    "clip alone": (("--clip", "clip"), "Leave it out, or name a --model."),
    "picture size": (("--model", "m", "--picture-size", "big"), "The size 'big' cannot be read."),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_a_sentence(name, capsys, tmp_path):
    argv, sentence = BAD[name]
    code, _, err = typed(capsys, *argv, "--out", tmp_path / "new")
    assert code == 2 and sentence in err and not (tmp_path / "new").exists()


def strange():
    return {**load_dictionary(DICTIONARY).provenance, "fingerprint": {"cond": [1.0] * 64, "pooled": [1.0] * 64}}


FOREIGN = {
    "another encoder": ("provenance", strange, ["another text encoder"]),
    "concepts that are not drawn": ("table", renamed, ["'background: swamp'", "--no-pictures"]),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_dictionary_of_another_world_is_refused(name, capsys, tmp_path):
    field, make, said = FOREIGN[name]
    file = tmp_path / "d.safetensors"
    save_dictionary(replace(load_dictionary(DICTIONARY), **{field: make()}), file)
    code, _, err = typed(capsys, file, "--quick", "--out", tmp_path / "new")
    assert code == 2 and all(one in err for one in said)
