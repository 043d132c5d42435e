"""The templates of other families are what the pattern and a line of the table make, and have numbers of their own."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from supsae.supsae_core.encoders.families import FAMILIES

ROOT = Path(__file__).parents[2]


@pytest.fixture
def made(monkeypatch):
    """Return the module that writes the templates."""
    monkeypatch.syspath_prepend(str(ROOT))
    yield importlib.import_module("benchmarks.templates.__main__")
    for name in [name for name in sys.modules if name == "benchmarks" or name.startswith("benchmarks.")]:
        del sys.modules[name]


def test_files_are_what_the_pattern_makes(made):
    for recipe in made.RECIPES:
        file = made.FOLDER / f"{recipe.name}.json"
        assert json.loads(file.read_text(encoding="utf-8")) == made.derived(made.pattern(), recipe), recipe.name
    assert len(made.RECIPES) == 8


def test_every_family_with_a_stock_loader_has_one(made):
    stock = {name for name, one in FAMILIES.items() if "CLIPLoader" in one.loader}
    assert {recipe.family for recipe in made.RECIPES} == stock - {"sd3"}  # the pattern


def test_what_the_picture_shows_is_what_the_mixer_changes(made):
    changes = made.changes(made.pattern())
    assert changes == [("hair", "blond", "red"), ("coat", "blue", "yellow"), ("weather", "sunny", "rain")]
    assert made.picture("FLUX.1", changes).size == (776, 384)
