"""``supsae check`` and ``supsae ship`` as a person types them."""

import hashlib
import json
from functools import partial

import numpy as np
import pytest
from PIL import Image

from supsae.cli import parser, shipping
from supsae.evaluation.check import trial
from supsae.evaluation.text.asked import Counts
from supsae.hosts.diffusers import studio
from supsae.portraits.paths import DICTIONARY
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.dictionary.shipped import shipped_of
from supsae.training.fit import fit_dictionary
from supsae.training.solvers.exact import ExactConfig

pytestmark = pytest.mark.slow

QUICK = ExactConfig(common_ridges=(10.0,), shared_ridges=(3.0,), own_ridges=(30.0,))
WHO = ["--author", "A. Person", "--licence", "cc-by-4.0"]


@pytest.fixture
def quick(monkeypatch, weights):
    monkeypatch.setattr(studio, "WEIGHTS", weights)
    monkeypatch.setattr(trial, "fit_dictionary", partial(fit_dictionary, config=QUICK))
    monkeypatch.setattr(trial, "ASKED", Counts(12, 2, 0))


def test_a_model_is_checked(quick, capsys, tmp_path):
    out = tmp_path / "out"
    argv = ["check", "--out", str(out), "--encodings", "60", "--pictures", "1", "--steps", "1"]
    assert parser.main(argv) == 0
    printed = capsys.readouterr().out.splitlines()
    told = json.loads((out / "check.json").read_text(encoding="utf-8"))
    assert printed[-1] == told["verdict"][0]["sentence"]
    assert told["checks"]["blocks"]["same"] is True and told["checks"]["pictures"]["count"] == 1
    assert told["files"] == [] and str(tmp_path) not in (out / "check.html").read_text(encoding="utf-8")


def test_a_folder_in_diffusers_layout_is_checked(sd3, monkeypatch, tmp_path):
    monkeypatch.setattr(trial, "fit_dictionary", partial(fit_dictionary, config=QUICK))
    monkeypatch.setattr(trial, "ASKED", Counts(4, 1, 0))
    (tmp_path / "table.yaml").write_text("hair: [red hair, blond hair]\neyes: [green eyes, blue eyes]\n")
    words = ["check", "--model", sd3.folder, "--out", tmp_path / "out", "--table", tmp_path / "table.yaml"]
    words += ["--encodings", "60", "--pictures", "1", "--steps", "1", "--picture-size", "64x64"]
    assert parser.main([str(word) for word in words]) == 0
    told = json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8"))
    assert told["files"] == [sd3.folder.name] and told["table"] == "own"
    checks = told["checks"]
    # 77 rows of CLIP and 256 of T5, whatever the prompt
    assert checks["rows"]["rows"] == dict.fromkeys(("empty", "short", "long"), 333)
    assert checks["blocks"]["heard"] == checks["blocks"]["depth"] == 2 and checks["blocks"]["same"] is True


WRONG = {
    "too few": (["check", "--encodings", "10"], "learns from 60 to 2000 encodings, not from 10"),
    "negative": (["check", "--pictures", "-1"], "--pictures is -1"),
    "nothing said": (
        ["ship", str(DICTIONARY), "--out", "OUT"],
        "portraits.safetensors is not fit to be given away. Nobody is named as its author: add --author. It has no "
        "licence: add --licence",
    ),
    "no licence": (
        ["ship", str(DICTIONARY), "--out", "OUT", "--author", "me", "--licence", "mine"],
        "no SPDX identifier",
    ),
    "there": (["ship", str(DICTIONARY), "--out", str(DICTIONARY), *WHO], "is there already"),
    "no folder": (["ship", str(DICTIONARY), "--out", "OUT", *WHO, "--pictures", "nowhere"], "nowhere is no folder"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_will_not_do_is_said_in_a_sentence(name, capsys, tmp_path):
    argv, told = WRONG[name]
    assert parser.main([str(tmp_path / "a") if one == "OUT" else one for one in argv]) == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def saved(folder, names):
    folder.mkdir()
    for number, name in enumerate(names):
        Image.fromarray(np.full((16, 16, 3), number, np.uint8)).save(folder / name)
    return folder


@pytest.fixture(scope="module")
def names():
    return [str(one) for one in load_dictionary(DICTIONARY).table.concepts]


def test_pictures_of_a_folder_are_taken_by_number_or_by_name(names, tmp_path):
    numbered = saved(tmp_path / "a", [f"ComfyUI_{number:05d}_.png" for number in range(len(names) + 1)])
    assert [one[0, 0, 0] for one in shipping.given_pictures(numbered, names)] == list(range(len(names) + 1))
    by_name = saved(tmp_path / "b", [f"{name.replace(': ', '_')}.png" for name in [*reversed(names), "without"]])
    assert [one[0, 0, 0] for one in shipping.given_pictures(by_name, names)][0] == len(names)
    (by_name / f"{names[3].replace(': ', '_')}.png").unlink()
    with pytest.raises(ValueError, match=f"has no picture of {names[3]}"):
        shipping.given_pictures(by_name, names)
    (numbered / "ComfyUI_00000_.png").unlink()
    with pytest.raises(ValueError, match=f"holds {len(names)} pictures, and {len(names) + 1} are needed"):
        shipping.given_pictures(numbered, names)


def test_a_dictionary_is_given_away_with_its_strip(names, capsys, tmp_path):
    folder = saved(tmp_path / "pictures", [f"{number:02d}.png" for number in range(len(names) + 1)])
    out = tmp_path / "given" / "mine"
    argv = ["ship", str(DICTIONARY), "--out", str(out), *WHO, "--pictures", str(folder)]
    assert parser.main(argv) == 0
    file, strip = out.with_suffix(".safetensors"), out.with_suffix(".jpg")
    said = shipped_of(load_dictionary(file).provenance)
    assert said is not None and (said.author, said.licence, said.model) == ("A. Person", "CC-BY-4.0", "Portraits")
    assert said.pictures == strip.name and said.picture_hash == hashlib.sha256(strip.read_bytes()).hexdigest()
    capsys.readouterr()
    assert parser.main(["inspect", str(file)]) == 0
    assert "Given away by A. Person" in capsys.readouterr().out


def test_portraits_strip_is_drawn(monkeypatch, weights, names, tmp_path):
    monkeypatch.setattr(studio, "WEIGHTS", weights)
    monkeypatch.setattr(studio, "draw_portraits", partial(studio.draw_portraits, steps=1))
    out = tmp_path / "mine.safetensors"
    assert parser.main(["ship", str(DICTIONARY), "--out", str(out), *WHO]) == 0
    with Image.open(out.with_suffix(".jpg")) as strip:
        assert strip.width > strip.height  # six pictures across, five lines


def test_another_family_s_needs_pictures_and_a_model(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(shipping, "PortraitsText", type("Other", (), {"family": None}))
    assert parser.main(["ship", str(DICTIONARY), "--out", str(tmp_path / "a"), *WHO]) == 2
    told = capsys.readouterr().err
    assert "add --model-name" in told and "It has no pictures" in told
