"""Presets of the mixer in the browser: saved, taken whole or part of the way, given away and brought in."""

import json

import pytest
from mixer_page import RED
from page import RENDERERS

SAD = {"hair": {"say": "red", "strength": 0.4}, "expression": {"say": "sad", "strength": 1}}


def line(mixer):
    mixer.page.get_by_role("button", name="Presets").click()
    return mixer.page.locator(".supsae-presets")


@pytest.mark.parametrize("vue", RENDERERS.values(), ids=RENDERERS)
def test_a_preset_is_saved_taken_and_blended(open_mixer, vue):
    mixer = open_mixer(SAD, vue)
    presets, page = line(mixer), mixer.page
    presets.get_by_label("name").fill("sad / red*.json")
    presets.get_by_role("button", name="Save", exact=True).click()
    choice = presets.locator("select")
    choice.locator("option", has_text="sad red").wait_for(
        state="attached"
    )  # what is no part of a file's name is left out
    page.get_by_role("button", name="Reset all").click()
    mixer.slider("eyes").fill("1.5")
    before = mixer.mix()
    choice.select_option("")
    choice.select_option("sad red")
    page.wait_for_function("(rows) => window.app.graph.getNodeById(4).widgets[0].value.includes(rows)", arg='"sad"')
    assert mixer.mix() == SAD
    amount = presets.get_by_label("How far to the preset")
    amount.fill("0.5")
    # half way: eyes from 1.5 towards 1, hair and expression half as strong as in the preset
    assert mixer.mix() == {
        "eyes": {"scale": 1.25},
        "hair": {"say": "red", "strength": 0.2},
        "expression": {"say": "sad", "strength": 0.5},
    }
    amount.fill("0")
    assert mixer.mix() == before
    with page.expect_download() as given:
        presets.get_by_role("button", name="Save these rows as a file, to give away").click()
    assert json.loads(given.value.path().read_text(encoding="utf-8"))["mix"] == before
    presets.get_by_role("button", name="Delete the chosen preset").click()
    choice.locator("option", has_text="none saved yet").wait_for(state="attached")


@pytest.mark.every_frontend
def test_a_file_is_brought_in_and_what_is_none_is_refused(open_mixer, tmp_path):
    mixer = open_mixer(RED)
    presets = line(mixer)
    good, bad = tmp_path / "friend.json", tmp_path / "other.json"
    good.write_text(json.dumps({"version": 1, "mix": SAD}), encoding="utf-8")
    bad.write_text("[1, 2]", encoding="utf-8")
    presets.locator("input[type=file]").set_input_files(bad)
    mixer.page.get_by_text("'other.json' is no preset that this SupSAE can read.").first.wait_for()
    presets.locator("input[type=file]").set_input_files(good)
    presets.locator("option", has_text="friend").wait_for(state="attached")
    assert mixer.mix() == RED  # nothing is used before the slider is moved
    presets.get_by_label("How far to the preset").fill("1")
    assert mixer.mix() == SAD
    presets.get_by_role("button", name="Delete the chosen preset").click()
    presets.locator("option", has_text="none saved yet").wait_for(state="attached")


def say(concept, strength):
    return {"hair": {"say": concept, "strength": strength}}


def at(position):
    return {"hair": {"between": ["red", "blue"], "position": position}}


KEPT = {"hair": {"keep": True}}
BLENDS = {
    "the same concept": (say("red", 1), say("Red", 0.5), 0.5, say("Red", 0.75)),
    "another, near": (say("red", 1), say("blue", 1), 0.25, say("red", 0.75)),
    "another, far": (say("red", 1), say("blue", 1), 0.75, say("blue", 0.75)),
    "two ends": (at(-1), at(1), 0.75, at(0.5)),
    "a padlock": (KEPT, {}, 0.25, KEPT),
    "no padlock": (KEPT, {}, 0.75, {}),
}


@pytest.fixture(scope="module")
def blend(frontend, browser):
    page = browser.new_page()
    page.goto(frontend.url)
    path = "/extensions/ComfyUI-SupSAE/js/blend.js"
    yield lambda *given: page.evaluate("async ([path, given]) => (await import(path)).blended(...given)", [path, given])
    page.close()


@pytest.mark.parametrize(("one", "other", "share", "wanted"), BLENDS.values(), ids=BLENDS)
def test_rows_part_of_the_way(blend, one, other, share, wanted):
    assert blend(one, other, share) == wanted
    assert blend(one, other, 0) == one and blend(one, other, 1) == other
