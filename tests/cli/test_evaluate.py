"""``supsae eval`` as a person types it: what it writes, what it says, and what it refuses."""

import json
from dataclasses import replace

import pytest

from supsae.cli import parser
from supsae.evaluation.pictures import parts
from supsae.evaluation.pictures.parts import Size
from supsae.portraits import captions
from supsae.portraits.paths import DICTIONARY
from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary


def run(capsys, *argv):
    code = parser.main(["eval", *map(str, argv)])
    return code, *capsys.readouterr()


@pytest.fixture
def tiny(monkeypatch):
    size = Size(headline=2, rivals=0, calibration=0, split=0, several=0, curve=0, removal=0, adapter=0, text=4)
    monkeypatch.setitem(parts.SIZES, "quick", size)


def test_a_run_writes_a_report_and_the_same_numbers_twice(tiny, capsys, tmp_path):
    code, out, _ = run(capsys, "--quick", "--out", tmp_path)
    first = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert code == 0 and "pictures" in out and str(tmp_path / "report.html") in out
    assert first["schema_version"] == 1 and first["sections"].keys() == {"text", "headline"}
    assert first["sections"]["headline"]["rows"]["SupSAE"]["count"] == 2
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "SupSAE" in page and "http" not in page.replace("http://www.w3.org/2000/svg", "")
    drawn = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("pictures/*/*.png")}
    assert len(drawn) == 10  # 2 tasks: no edit, rewrite and SupSAE, the last two with the lock too
    assert run(capsys, "--quick", "--out", tmp_path)[0] == 0
    again = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("pictures/*/*.png")} == drawn
    assert first.pop("seconds") and again.pop("seconds") and first == again


def test_without_pictures_the_text_side_is_judged(tiny, capsys, tmp_path):
    code, _, _ = run(capsys, "--quick", "--no-pictures", "--out", tmp_path)
    made = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert code == 0 and made["kind"] == "text" and not list(tmp_path.rglob("pictures/*"))


def foreign(path, **changes):
    """Write the shipped dictionary under another table or with other provenance."""
    save_dictionary(replace(load_dictionary(DICTIONARY), **changes), path)
    return path


def renamed():
    first, *rest = captions.table().concepts
    return type(captions.table())((replace(first, name="swamp"), *rest))


BAD = {
    "size": (("--size", "huge"), "--size is 'huge'. Choose one of: quick, medium, full."),
    "part": (("--quick", "--parts", "beauty"), "The scoreboard has no part 'beauty'. Parts are: text, headline"),
    "no such file": (("missing.safetensors",), "missing.safetensors"),
    "clip alone": (("--clip", "clip"), "Leave them out, or name a --model."),
    "picture size": (("--model", "m", "--picture-size", "big"), "The size 'big' cannot be read."),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_a_sentence(name, capsys, tmp_path):
    argv, sentence = BAD[name]
    code, _, err = run(capsys, *argv, "--out", tmp_path / "new")
    assert code == 2 and sentence in err and not (tmp_path / "new").exists()


def test_concepts_that_are_not_drawn_are_refused(capsys, tmp_path):
    file = foreign(tmp_path / "d.safetensors", table=renamed())
    code, _, err = run(capsys, file, "--quick", "--out", tmp_path / "new")
    assert code == 2 and "'background: swamp'" in err and "--no-pictures" in err


def test_a_dictionary_of_another_encoder_is_refused(capsys, tmp_path):
    provenance = {**load_dictionary(DICTIONARY).provenance, "fingerprint": {"cond": [1.0] * 64, "pooled": [1.0] * 64}}
    file = foreign(tmp_path / "d.safetensors", provenance=provenance)
    code, _, err = run(capsys, file, "--quick", "--out", tmp_path / "new")
    assert code == 2 and "another text encoder" in err


def test_without_pairs_held_out_the_headline_is_over_any_pairs(tiny, capsys, tmp_path):
    provenance = {**load_dictionary(DICTIONARY).provenance, "held_out": []}
    file = foreign(tmp_path / "d.safetensors", provenance=provenance)
    code, out, _ = run(capsys, file, "--quick", "--parts", "headline", "--out", tmp_path / "new")
    made = json.loads((tmp_path / "new" / "results.json").read_text(encoding="utf-8"))
    assert code == 0 and made["sections"]["headline"]["split"] == "any pairs" and "held no pairs" in out
