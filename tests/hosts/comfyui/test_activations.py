"""Capture Activations inside ComfyUI: only the main pass on the prompts is heard, and both hosts hear the same."""

import json
import time
from dataclasses import fields
from functools import partial

import pytest

from supsae.hosts.diffusers import studio
from supsae.hosts.diffusers.recording import DiffusersPictures
from supsae.portraits import captions
from supsae.supsae_core.capture import activations, captures
from supsae.supsae_core.capture.statistics import Statistics
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.encoders.sites import parse
from supsae.training import recording
from supsae.training.capture import CaptureConfig
from supsae.training.recording import SamplingConfig

CONFIG = CaptureConfig(prompts=10, calibration=4, seed=3)
HOW = {
    "attention": SamplingConfig(parse("txt@0-2, img@0-3"), 3, 3.0, 128, 128, "attention", 2),
    "mean": SamplingConfig(parse("img@0, img@3"), 2, 3.0, 128, 128, "mean", 2),
    "positions": SamplingConfig(parse("img@1"), 2, 3.0, 128, 128, "positions", 1),
}

PREPARE = """
    import json, sys
    from pathlib import Path
    import torch
    import comfy.sd, comfy.model_management
    from comfy_extras.nodes_pag import PerturbedAttentionGuidance
    from comfy_extras.nodes_slg import SkipLayerGuidanceDiT
    from supsae.hosts.comfyui import capturing, comfy_host, comfy_model, steering
    from supsae.hosts.comfyui.recording import ComfyPictures
    from supsae.portraits import captions
    from supsae.supsae_core.capture import activations, captures
    from supsae.supsae_core.editing.edits import Swap
    from supsae.supsae_core.capture.sampling import Sampling
    from supsae.supsae_core.encoders.sites import parse
    from supsae.supsae_core.editing.steer import Where
    from supsae.training import recording
    from supsae.training.capture import CaptureConfig
    from supsae.training.recording import SamplingConfig

    torch.set_num_threads(1)
    torch.inference_mode().__enter__()
    host = comfy_host.ComfyText(comfy_host.portraits_clip())
    file = comfy_host.WEIGHTS / "diffusion_models" / "supsae_portraits_mmdit.safetensors"
    model = comfy.sd.load_diffusion_model(str(file))
    seen = {}
"""

HEARD = """
    SITES = parse("txt@0-2, img@0-3")

    class Listener:
        '''Keeps what was heard last before each step, and counts the hearings.'''
        attended, sites = None, SITES

        def __init__(self):
            self.last, self.steps, self.count = {}, [], 0

        def hear(self, site, rows, attention=None):
            self.last[site], self.count = rows.clone(), self.count + 1

        def step(self):
            self.steps.append(self.last)
            self.last = {}

    def heard(model, text="a person with blond hair, no hat", steps=2, cfg=3.0, sampler="euler", seeds=(1, 2)):
        (cond,), (pooled,) = host.encode([text])
        pictures = ComfyPictures(model, host, sampler)
        how = Sampling(SITES, steps, cfg, 128, 128, "mean", 1, pictures.sigmas(steps), 192, {})
        listener = Listener()
        pictures.sample([(cond, pooled)] * len(seeds), seeds, how, listener)
        return listener

    def first(one, other):
        return all(torch.equal(one.steps[0][site], other.steps[0][site]) for site in SITES)

    def far(one, other, step=0):
        pairs = [(one.steps[step][site], other.steps[step][site]) for site in SITES]
        return max(float((a - b).norm() / b.norm()) for a, b in pairs)

    plain = heard(model)
    seen["shapes"] = [list(plain.steps[0][site].shape) for site in (SITES[0], SITES[-1])]
    seen["plain"] = [len(plain.steps), plain.count]
    slg = heard(SkipLayerGuidanceDiT.execute(model, 3.0, 0.0, 1.0, "1")[0])
    pag = heard(PerturbedAttentionGuidance.execute(model, 3.0)[0])
    for name, one in (("slg", slg), ("pag", pag)):
        seen[name] = [len(one.steps), one.count, first(one, plain)]
    seen["slg guides"] = far(slg, plain, 1)
    seen["pictures"] = far(plain, heard(model, seeds=(1, 3)))
    heun = heard(model, sampler="heun")
    seen["heun"] = [len(heun.steps), heun.count, first(heun, plain)]
    seen["heun's second call is euler's second step"] = far(heun, plain, 1)
    seen["without negative"] = far(heard(model, cfg=1.0), plain)
    long = "a portrait of a person with blond hair, " + ", ".join(["in soft light"] * 20)
    tiled, alone = heard(model, long), heard(model, long, cfg=1.0)
    seen["longer than the negative"] = [tiled.steps[0][SITES[0]].shape[1], far(tiled, alone)]

    # --- refusals ---
    def error(function, *arguments):
        try:
            function(*arguments)
        except ValueError as sentence:
            return str(sentence)

    edited = steering.apply_to_model(model, steering.Steering(None, (Swap("hair: red"),), Where()))
    seen["edited model"] = error(ComfyPictures, edited, host)

    # --- the interrupt, and both hosts ---
    config = CaptureConfig(prompts=10, calibration=4, seed=3)
    for image, options in json.loads(sys.argv[2]).items():
        pictures = ComfyPictures(model, host)
        how = SamplingConfig(parse(options.pop("sites")), **options)
        plan = recording.plan(captions.table(), host, pictures, config, how, captions.WORDING)
        watch = capturing.Watch(Path(sys.argv[1]) / image, plan)
        tell, told = capturing.sampling(watch, model), []

        def interrupted(done, total, denoised):
            told.append(done)
            if len(told) == 1:
                comfy.model_management.interrupt_current_processing()
            tell(done, total, denoised)

        try:
            recording.run(host, pictures, f"{sys.argv[1]}/{image}", plan, sampled=interrupted)
        except comfy.model_management.InterruptProcessingException:
            seen[f"interrupt {image}"] = told
        recording.run(host, pictures, f"{sys.argv[1]}/{image}", plan, sampled=tell)
    print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("captures")


@pytest.fixture(scope="module")
def seen(comfy_python, folder):
    how = {name: {**vars(one), "sites": ", ".join(map(str, one.sites))} for name, one in HOW.items()}
    printed = comfy_python(PREPARE + HEARD, str(folder), json.dumps(how))
    return json.loads(printed.splitlines()[-1])


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
    assert "comes from Apply to Model or Lock" in seen["edited model"]


@pytest.mark.parametrize("image", HOW)
def test_the_stop_button_is_heeded_within_a_step(seen, image):
    # the first batch holds the ten prompts to fit on; it is told of one step, and there is no second
    assert seen[f"interrupt {image}"] == [10]


@pytest.mark.parametrize("image", HOW)
def test_both_hosts_sum_up_the_same(seen, folder, tmp_path, image):
    models = studio.load()
    pictures = DiffusersPictures(models.transformer, partial(studio.negative, models))
    plan = recording.plan(captions.table(), models.host, pictures, CONFIG, HOW[image], captions.WORDING)
    ours, theirs = recording.run(models.host, pictures, tmp_path, plan), captures.load(folder / image)
    assert captures.difference(theirs.plan, plan) == ""  # noise levels and fingerprints of the model among them
    one, other = activations.load(ours), activations.load(theirs)
    assert not other.missing
    for name in plan.sampling.parts(plan.family):
        for a, b in zip(one.sums(name), other.sums(name), strict=True):
            for field in (f.name for f in fields(Statistics) if f.name != "moment"):
                x, y = getattr(a, field), getattr(b, field)
                assert float((x - y).double().norm() / x.double().norm()) < 1e-4, (name, field)
    site = HOW[image].sites[-1]
    x, y = one.rows(10, site), other.rows(10, site)
    assert float((x - y).norm() / x.norm()) < 1e-3  # half precision


SD35 = """
    import sd3_text, sd35_shapes
    from supsae.supsae_core.table import concepts

    text = "hair: [blond hair, red hair]\\nhat: [no hat, a golden crown]\\nplace: [sandy beach, deep forest]"
    table = concepts.parse(text)
    host = comfy_host.ComfyText(sd3_text.clip())
    model = sd35_shapes.build(2, 128, True)
    pictures = ComfyPictures(model, host)
    how = SamplingConfig(parse("txt@0-1, img@1-2"), 2, 3.0, 64, 96, "attention", 2)
    plan = recording.plan(table, host, pictures, CaptureConfig(10, 4), how, host.wording)
    made = recording.run(host, pictures, sys.argv[1], plan)
    found = activations.load(made)
    sums = {name: found.sums(name) for name in plan.sampling.parts(plan.family)}
    seen["missing"] = found.missing
    seen["phrases"] = {name: [float(one.count[:, :6].sum()) for one in some] for name, some in sums.items()}
    seen["mentions"] = sum(len(entry.prompt.mentions) for entry in plan.entries if entry.set == "fit")
    seen["lengths"] = {name: some[0].lengths[:6].tolist() for name, some in sums.items()}
    seen["finite"] = all(bool(one.square.isfinite().all()) for some in sums.values() for one in some)
    seen["rows"] = [list(found.rows(10, site).shape) for site in parse("txt@1, img@2")]
    print(json.dumps(seen))
"""


def test_sd35_layouts_and_dual_attention_are_captured(comfy_python, tmp_path):
    """SD3.5's text layout and block shapes with random weights: 77 + 77 rows, a second attention in both blocks."""
    seen = json.loads(comfy_python(PREPARE + SD35, str(tmp_path / "capture")).splitlines()[-1])
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
        "model": ["1", 0], "clip": ["2", 0], "table": ["3", 0], "name": "blocks", "sites": "txt@1, img@2",
        "prompts": 24, "calibration": 4, "steps": 4, "cfg": 3.0, "width": 128, "height": 128, "image": "mean",
        "mention": 0.75, "held_out": 0.0, "seed": 0,
    }  # fmt: skip
    loader = {"unet_name": "supsae_portraits_mmdit.safetensors", "weight_dtype": "default"}
    return {
        "1": {"class_type": "UNETLoader", "inputs": loader},
        "2": {"class_type": "SupSAE_PortraitsCLIPLoader", "inputs": {}},
        "3": {"class_type": "SupSAE_ConceptTable", "inputs": table()},
        "4": {"class_type": "SupSAE_CaptureActivations", "inputs": capture | changes},
    }


def table():
    text = "hair: [blond hair, red hair]\nhat: [no hat, a crown]\nbackground: [sandy beach, deep forest]\n"
    return {"text": text, "file": ""}


REFUSED = {
    "block": ({"sites": "txt@0-3"}, "There is no txt@3: this model has 3 blocks"),
    "no stream": ({"sites": "cond"}, "Activations are captured at txt@i and img@i, not at cond"),
    "no site": ({"sites": "text@1"}, "There is no site 'text@1'"),
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
    while not list(folder.glob(activations.BATCHES)) and time.monotonic() < deadline:
        time.sleep(0.02)
    comfy_server.interrupt()
    with pytest.raises(RuntimeError, match="interrupted at SupSAE_CaptureActivations"):
        comfy_server.wait(running)
    assert 0 < len(activations.load(captures.load(folder)).missing) < 32
    fitted = workflow() | {
        "5": {"class_type": "SupSAE_Fit", "inputs": {"capture": ["4", 0]}},
        "6": {
            "class_type": "SupSAE_SaveDictionary",
            "inputs": {"dictionary": ["5", 0], "name": "blocks", "overwrite": True},
        },
    }
    comfy_server.run(fitted)
    assert not activations.load(captures.load(folder)).missing
    learnt = load_dictionary(comfy_server.base / "models" / "supsae" / "blocks.safetensors")
    assert list(learnt.streams) == ["txt@1/clip", "txt@1/t5", "img@2/mean"]
    comfy_server.run(workflow(steps=5, prompts=10))  # other settings: beside it, and nothing is lost
    assert captures.load(folder).plan.sampling.steps == 4
    assert captures.load(folder.with_name("blocks_2")).plan.sampling.steps == 5
