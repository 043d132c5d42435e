"""Captures and fits in a real server: what is on disk is kept, goes on where it stopped, and is never overwritten."""

import json
import shutil

import pytest
from api_workflows import BLOCKS, capturing, fitting

from supsae.supsae_core.capture import activations
from supsae.supsae_core.capture.activations import load_activations
from supsae.supsae_core.capture.captures import load_capture
from supsae.supsae_core.capture.store import Store
from supsae.supsae_core.dictionary.file import load_dictionary


@pytest.fixture(scope="module")
def captures(comfy_server):
    return comfy_server.base / "output/supsae/captures"


@pytest.fixture(scope="module")
def dictionaries(comfy_server):
    return comfy_server.base / "models/supsae"


def contents(folder):
    return {file: file.read_bytes() for file in folder.rglob("*.*")}


def test_nothing_is_overwritten_unless_it_is_asked_for(comfy_server, captures, dictionaries):
    few = {"prompts": 32, "calibration": 6}
    comfy_server.run(fitting("kept", "kept", **few))
    capture, first = contents(captures / "kept"), (dictionaries / "kept.safetensors").read_bytes()
    comfy_server.run(fitting("kept", "kept", seed=3, **few))  # other settings, and another dictionary of this name
    assert contents(captures / "kept") == capture
    assert json.loads((captures / "kept_2/capture.json").read_text(encoding="utf-8"))["seed"] == 3
    assert (dictionaries / "kept.safetensors").read_bytes() == first
    assert (dictionaries / "kept_2.safetensors").is_file()
    comfy_server.run(fitting("kept", "kept", overwrite=True, seed=3, **few))  # found again by its name and settings
    assert not (captures / "kept_3").exists() and not (dictionaries / "kept_3.safetensors").exists()
    assert (dictionaries / "kept.safetensors").read_bytes() != first
    shutil.rmtree(captures / "kept")
    comfy_server.run(capturing("kept", **few))  # deleted, it is made again
    assert (captures / "kept/shard-00000.safetensors").is_file()


def test_a_dictionary_without_a_name_is_named_after_its_words(comfy_server, dictionaries):
    def names():
        return {file.name for file in dictionaries.glob("hair-*.safetensors")}

    few = {"prompts": 20, "calibration": 4}
    comfy_server.run(fitting("words", " ", **few))
    first = (dictionaries / "hair-eyes.safetensors").read_bytes()
    comfy_server.run(fitting("words again", "", seed=5, **few))  # the same words learnt anew are no second file
    assert names() == {"hair-eyes.safetensors"} and (dictionaries / "hair-eyes.safetensors").read_bytes() != first
    other = "hair: {red: red hair, grey: grey hair}\neyes: {blue: blue eyes, green: green eyes}"
    comfy_server.run(fitting("other words", "", table=other, **few))
    assert names() == {"hair-eyes.safetensors", "hair-eyes_2.safetensors"}
    many = "\n".join(f"category {number}: [one {number}, two {number}]" for number in range(8))
    comfy_server.run(fitting("many words", "", table=many, **few))
    # each takes 11 of 48 bytes with its dash: four of them
    assert (dictionaries / "category_0-category_1-category_2-category_3-and-4-more.safetensors").is_file()


def test_interrupted_capture_goes_on_where_it_stopped(comfy_server, captures):
    prompt = capturing("long", prompts=400)

    def shards():
        return {file: file.stat().st_mtime_ns for file in (captures / "long").glob("shard-*.safetensors")}

    with pytest.raises(RuntimeError, match="interrupted at SupSAE_Capture"):
        comfy_server.interrupt_once(prompt, lambda: len(shards()) >= 2)
    kept, whole = shards(), -(-(400 + 2 * 12) // 64)
    assert 2 <= len(kept) < whole
    comfy_server.run(prompt)
    assert shards().items() >= kept.items() and len(shards()) == whole


def test_interrupted_capture_of_blocks_goes_on_and_is_fitted(comfy_server, captures, dictionaries):
    table = "hair: [blond hair, red hair]\nhat: [no hat, a crown]\nbackground: [sandy beach, deep forest]\n"
    settings = {**BLOCKS, "table": table, "prompts": 24, "calibration": 4}
    folder = captures / "blocks"
    with pytest.raises(RuntimeError, match="interrupted at SupSAE_Capture"):
        prompt = capturing("blocks", **settings)
        comfy_server.interrupt_once(prompt, lambda: bool(Store(folder).keys(activations.BATCHES)))
    assert 0 < len(load_activations(load_capture(folder)).missing) < 32
    comfy_server.run(fitting("blocks", "blocks", **settings))
    assert not load_activations(load_capture(folder)).missing
    learnt = load_dictionary(dictionaries / "blocks.safetensors")
    assert list(learnt.streams) == ["txt@1/clip", "txt@1/t5", "img@2/mean"]
    comfy_server.run(capturing("blocks", **settings | {"record.steps": 5, "prompts": 10}))  # beside it
    assert load_capture(folder).plan.sampling.steps == 4
    assert load_capture(captures / "blocks_2").plan.sampling.steps == 5
