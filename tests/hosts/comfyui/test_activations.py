"""Capture of prompts and blocks in ComfyUI: only the main pass on the prompts is heard, and both hosts hear it."""

import json
import time
from dataclasses import fields
from functools import partial

import pytest

from supsae.hosts.diffusers import studio
from supsae.hosts.diffusers.recording import DiffusersPictures
from supsae.portraits import captions
from supsae.supsae_core.capture import activations
from supsae.supsae_core.capture.activations import load_activations
from supsae.supsae_core.capture.captures import load_capture
from supsae.supsae_core.capture.plan import difference
from supsae.supsae_core.capture.statistics import Statistics
from supsae.supsae_core.capture.store import Store
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.encoders.sites import parse_sites
from supsae.training import recording
from supsae.training.capture import CaptureConfig
from supsae.training.recording import SamplingConfig

CONFIG = CaptureConfig(prompts=10, calibration=4, seed=3)
HOW = {
    "attention": SamplingConfig(parse_sites("txt@0-2, img@0-3"), 3, 3.0, 128, 128, "attention", 2),
    "mean": SamplingConfig(parse_sites("img@0, img@3"), 2, 3.0, 128, 128, "mean", 2),
    "positions": SamplingConfig(parse_sites("img@1"), 2, 3.0, 128, 128, "positions", 1),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("captures")


@pytest.fixture(scope="module")
def seen(comfy_python, folder):
    how = {name: {**vars(one), "sites": ", ".join(map(str, one.sites))} for name, one in HOW.items()}
    return comfy_python("activations_heard", folder, json.dumps(how))


def test_a_step_is_heard_once_at_every_site(seen):
    # 7 sites; two pictures, 96 text rows, 64 image tokens, width 192
    assert seen["shapes"] == [[2, 96, 192], [2, 64, 192]]
    assert seen["plain"] == [2, 2 * 7]
    assert seen["pictures"] > 0.1  # another picture is heard otherwise


@pytest.mark.parametrize("name", ["slg", "pag"])
def test_guidance_passes_are_not_heard(seen, name):
    # both run another positive pass in every step; before the first step's end nothing can have changed
    assert seen[name] == [2, 2 * 7, True]
    assert seen["slg guides"] > 0.01


def test_the_second_calls_of_heun_are_not_recorded(seen):
    # heun calls once more at the next noise level in all but the last step: 3 calls, 2 steps. That call is just what
    # euler's second step is; heun's own second step is not
    assert seen["heun"] == [2, 3 * 7, True]
    assert seen["heun's second call is euler's second step"] > 1e-3


def test_the_negative_prompt_is_not_heard(seen):
    assert seen["without negative"] < 1e-5
    # 46 tokens fit a chunk; more make two of them, and more rows behind; ComfyUI repeats both to a common length
    length, distance = seen["longer than the negative"]
    assert length > 96 and distance < 1e-4


def test_an_edited_model_is_refused(seen):
    assert "comes from Apply Edits, Concept Mixer or Lock" in seen["edited model"]


@pytest.mark.parametrize("image", HOW)
def test_the_stop_button_is_heeded_within_a_step(seen, image):
    # the first batch holds the ten prompts to fit on; it is told of one step, and there is no second
    assert seen[f"interrupt {image}"] == [10]


@pytest.mark.parametrize("image", HOW)
def test_both_hosts_sum_up_the_same(seen, folder, tmp_path, image):
    models = studio.load_studio()
    pictures = DiffusersPictures(models.transformer, partial(studio.negative, models))
    plan = recording.plan_activations(captions.table(), models.host, pictures, CONFIG, HOW[image], captions.WORDING)
    ours, theirs = recording.capture_activations(models.host, pictures, tmp_path, plan), load_capture(folder / image)
    assert difference(theirs.plan, plan) == ""  # noise levels and fingerprints of the model among them
    one, other = load_activations(ours), load_activations(theirs)
    assert not other.missing
    for name in plan.sampling.parts(plan.family):
        for a, b in zip(one.sums(name), other.sums(name), strict=True):
            for field in (f.name for f in fields(Statistics) if f.name != "moment"):
                x, y = getattr(a, field), getattr(b, field)
                assert float((x - y).double().norm() / x.double().norm()) < 1e-4, (name, field)
    site = HOW[image].sites[-1]
    x, y = one.rows(10, site), other.rows(10, site)
    assert float((x - y).norm() / x.norm()) < 1e-3  # half precision


def test_sd35_layouts_and_dual_attention_are_captured(comfy_python, tmp_path):
    """SD3.5's text layout and block shapes with random weights: 77 + 77 rows, a second attention in both blocks."""
    seen = comfy_python("activations_sd35", tmp_path / "capture")
    parts = ["txt@0/clip", "txt@0/t5", "txt@1/clip", "txt@1/t5", "img@1/attention", "img@2/attention"]
    assert seen["phrases"] == {name: [seen["mentions"]] * 2 for name in parts}  # at both noise levels
    assert seen["missing"] == [] and seen["finite"]
    # CLIP's tokenizer has a token for each of these words, T5's cuts some; in the picture a phrase is one mean
    assert seen["lengths"]["txt@0/clip"] == [2, 2, 2, 3, 2, 2] and min(seen["lengths"]["txt@0/t5"]) >= 2
    assert seen["lengths"]["img@2/attention"] == [1] * 6
    assert seen["rows"][0] == [2, 154, 128] and seen["rows"][1][::2] == [2, 128]


# --- in a server ----------------------------------------------------------------------------------------------------


def workflow(**changes):
    capture = {
        "clip": ["2", 0], "table": ["3", 0], "name": "blocks", "prompts": 24, "calibration": 4, "mention": 0.75,
        "held_out": 0.0, "seed": 0, "record": "prompts and blocks", "record.model": ["1", 0],
        "record.sites": "txt@1, img@2", "record.steps": 4, "record.cfg": 3.0, "record.width": 128,
        "record.height": 128, "record.image": "mean",
    }  # fmt: skip
    loader = {"unet_name": "supsae_portraits_mmdit.safetensors", "weight_dtype": "default"}
    return {
        "1": {"class_type": "UNETLoader", "inputs": loader},
        "2": {"class_type": "SupSAE_LoadPortraitsCLIP", "inputs": {}},
        "3": {"class_type": "SupSAE_ConceptTable", "inputs": table()},
        "4": {"class_type": "SupSAE_Capture", "inputs": capture | changes},
    }


def table():
    text = "hair: [blond hair, red hair]\nhat: [no hat, a crown]\nbackground: [sandy beach, deep forest]\n"
    return {"text": text, "file": ""}


REFUSED = {
    "block": ({"record.sites": "txt@0-3"}, "There is no txt@3: this model has 3 blocks"),
    "no stream": ({"record.sites": "cond"}, "Activations are captured at txt@i and img@i, not at cond"),
    "no site": ({"record.sites": "text@1"}, "There is no site 'text@1'"),
    "no place for tokens": ({"record.sites": "txt@1", "record.image": "positions"}, "no site is of the picture's"),
    "folder": ({"name": "../up"}, "cannot name the capture"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_a_sentence(comfy_server, name):
    changes, message = REFUSED[name]
    with pytest.raises(RuntimeError, match=message):
        comfy_server.run(workflow(**changes))
    assert not list((comfy_server.base / "output").glob("supsae/captures/blocks*"))


def test_an_interrupted_capture_goes_on_and_is_fitted(comfy_server):
    folder = comfy_server.base / "output" / "supsae" / "captures" / "blocks"
    running, deadline = comfy_server.queue(workflow()), time.monotonic() + 120
    while not Store(folder).keys(activations.BATCHES) and time.monotonic() < deadline:
        time.sleep(0.02)
    comfy_server.interrupt()
    with pytest.raises(RuntimeError, match="interrupted at SupSAE_Capture"):
        comfy_server.wait(running)
    assert 0 < len(load_activations(load_capture(folder)).missing) < 32
    file = {"save": "in models/supsae", "save.name": "blocks", "save.overwrite": True}
    fit = {"class_type": "SupSAE_FitDictionary", "inputs": {"capture": ["4", 0], **file}}
    comfy_server.run(workflow() | {"5": fit})
    assert not load_activations(load_capture(folder)).missing
    learnt = load_dictionary(comfy_server.base / "models" / "supsae" / "blocks.safetensors")
    assert list(learnt.streams) == ["txt@1/clip", "txt@1/t5", "img@2/mean"]
    comfy_server.run(workflow(**{"record.steps": 5, "prompts": 10}))  # other settings: beside it, and nothing is lost
    assert load_capture(folder).plan.sampling.steps == 4
    assert load_capture(folder.with_name("blocks_2")).plan.sampling.steps == 5
