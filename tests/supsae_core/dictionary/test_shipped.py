"""What a dictionary that is given away says of itself, and what it lacks."""

from dataclasses import replace

import pytest

from supsae.evaluation.report.describe import describe
from supsae.portraits.paths import DICTIONARY
from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary
from supsae.supsae_core.dictionary.light import LIGHT
from supsae.supsae_core.dictionary.shipped import (
    LETTERS,
    LICENCES,
    SHIPPED,
    Shipped,
    lacking,
    licence_of,
    shipped_of,
    unshipped,
    with_shipped,
)

SAID = Shipped("A. Person", "CC-BY-4.0", "Portraits", "2026-11-30", ("supsae 0.1.0",), "mine.jpg", "ab" * 32)


@pytest.fixture(scope="module")
def shipped():
    return load_dictionary(DICTIONARY)


@pytest.mark.parametrize("name", LICENCES)
def test_licences_are_spelled_as_spdx_spells_them(name):
    assert licence_of(f" {name.lower()} ") == name


def test_another_licence_is_a_reference():
    assert licence_of("LicenseRef-Stability-1.0") == "LicenseRef-Stability-1.0"
    with pytest.raises(ValueError, match="'free for all', which is no SPDX identifier .* CC-BY-4.0"):
        licence_of("free for all")


def without(name):
    return lambda learnt: replace(
        learnt, provenance={key: one for key, one in learnt.provenance.items() if key != name}
    )


def light(learnt):
    return replace(learnt, provenance={**learnt.provenance, LIGHT: 7})


LACKS = {
    "prompts": (without("prompts"), "does not say from how many prompts it was learnt"),
    "seed": (without("seed"), "does not say which seed"),
    "solver": (without("solver"), "does not say which solver"),
    "fingerprint": (without("fingerprint"), "does not say of which text encoders"),
    "light": (light, "It is a light form"),
}


@pytest.mark.parametrize("name", LACKS)
def test_what_is_lacking_is_named(shipped, name):
    change, told = LACKS[name]
    (only,) = lacking(change(shipped))
    assert told in only and lacking(shipped) == []


def test_it_survives_its_file_and_is_shown(shipped, tmp_path):
    made = with_shipped(shipped, SAID)
    save_dictionary(made, tmp_path / "a.safetensors")
    found = load_dictionary(tmp_path / "a.safetensors")
    assert shipped_of(found.provenance) == SAID and found.provenance["licence"] == "CC-BY-4.0"
    assert "Given away by A. Person on 2026-11-30, licence CC-BY-4.0" in describe(found)
    assert "Pictures of every concept: mine.jpg" in describe(found) and "Given away" not in describe(shipped)


def test_giving_it_away_makes_no_other_dictionary_of_it(shipped):
    assert unshipped(with_shipped(shipped, SAID).provenance) == dict(shipped.provenance)


@pytest.mark.parametrize("told", [None, "me", {}, {"author": 7}])
def test_what_says_something_else_says_nothing(told):
    assert shipped_of({SHIPPED: told}) is None


def test_entries_of_a_stranger_s_file_stay_short_and_on_one_line(shipped):
    made = with_shipped(shipped, replace(SAID, author="a\nb " + "x" * 999))
    found = shipped_of(made.provenance)
    assert found is not None and "\n" not in found.author and len(found.author) <= LETTERS
