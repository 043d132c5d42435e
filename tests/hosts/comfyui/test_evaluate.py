"""Evaluate Dictionary in ComfyUI: it draws what diffusers draws, is stopped and goes on, and says what it cannot."""

import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from supsae.hosts import locked
from supsae.hosts.diffusers import studio
from supsae.supsae_core.lock import LockConfig

SHIPPED = Path(studio.WEIGHTS) / "supsae" / "portraits.safetensors"
TEXTS = (
    "blond hair, green eyes, sandy beach",
    "red hair, green eyes, sandy beach",
    "red hair, no hat, smiling, green forest",
    "black hair, " + "soft light, " * 20 + "woolly beanie",  # two chunks: more rows than the others
)
SEEDS = (1, 1, 2, 3)
EDITED = (1, 1, 2, 3)  # which text is drawn under the lock, held to each of TEXTS: the first is an edit of its own


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("drawn")


@pytest.fixture(scope="module")
def seen(comfy_python, folder):
    lists = (json.dumps(one) for one in (TEXTS, SEEDS, EDITED))
    found = comfy_python("evaluate_drawn", SHIPPED, folder, *lists)
    for script in ("evaluate_refused", "evaluate_run", "evaluate_sd3"):
        found |= comfy_python(script, SHIPPED)
    return found


@pytest.fixture(scope="module")
def ours(seen, folder):
    return np.load(folder / "drawn.npz")


@pytest.fixture(scope="module")
def theirs():
    models = studio.load_studio()
    conds, pooled = models.host.encode(TEXTS)
    draw = partial(studio.draw_portraits, models)
    references = locked.reference(draw, conds, pooled, SEEDS)
    others = ([some[i] for i in EDITED] for some in (conds, pooled))
    held = locked.hold(draw, *others, references, LockConfig())
    return {"plain": references.pictures, "held": held.pictures}


def far(one, other):
    return int(np.abs(one.astype(int) - other).max())


@pytest.mark.parametrize("way", ["plain", "held"])
def test_both_renderers_draw_the_same(ours, theirs, way):
    # The hosts' latents differ by 3e-6 and vae_scale by 1.5e-4 relative (test_same_transformer): a level by rounding.
    assert far(ours[way], theirs[way]) <= 2


def test_lock_holds_and_lets_through(seen, ours):
    assert seen["recording changes nothing"]
    assert far(ours["held"][0], ours["plain"][0]) > 50  # red hair where blond was
    assert (ours["held"][1:] == ours["plain"][1:]).all()  # the same prompts again
    assert seen["let through"] == 1
    assert far(ours["everywhere"][0], ours["plain"][1]) <= 1  # text and seed of the second


def test_renderer_shows_its_steps(seen):
    assert seen["told"] == [[1, 16, 16, 16]] * 16


def test_renderer_is_named_by_its_weights(seen):
    name, same, other = seen["name"]
    assert name == same != other


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("no VAE", "The VAE is missing. Connect both, or none"),
        ("no model", "The model is missing. Connect both, or none"),
        ("SD3.5", "reads prompts 4096 numbers wide, Portraits' text encoders write 192"),
        ("VAE", "This VAE is not Portraits'"),
        ("LoRA", "comes from a node that changes it"),
        ("Lock", "comes from a node that changes it"),
    ],
)
def test_other_models_get_a_sentence(seen, case, sentence):
    assert sentence in seen[case]


def test_refusal_leaves_nothing_behind(seen):
    assert seen["written"] == []


def test_dictionary_of_another_model_gets_a_sentence(seen):
    to_portraits, to_sd3 = seen["foreign"]
    assert "is for the format 'sd3', not for 'portraits'" in to_portraits
    assert "is for the format 'portraits', not for 'sd3'" in to_sd3


def test_bar_runs_through_all_parts(seen):
    assert seen["bar"] == [3, 4, 5, 5]  # a part takes no more than it said
    # 5 pictures for each of 2 swaps, 3 for each of 2 removals, and one at each of 7 places of the slider and 2 beside.
    assert seen["most"] == 5 * 2 + 3 * 2 + 9


def test_run_is_stopped_and_goes_on(seen):
    kept, after, untouched = seen["kept"]
    assert seen["interrupted"] and untouched
    assert 0 < kept < after == seen["counted"] <= seen["most"]


def test_run_is_reported(seen):
    assert seen["sections"] == ["text", "headline", "removal", "strength"]
    (folder,) = seen["folder"]
    assert re.fullmatch("evaluation-[0-9a-f]{16}-tiny-7", folder)
    for file in ("results.json", "report.html"):
        assert f"{folder}/{file}" in seen["report"]
    batch, height, width, channels, spread = seen["plot"]
    assert (batch, channels) == (1, 3) and min(height, width) > 200 and spread > 0.05
    assert seen["shown"] == 1


def test_sd3_is_judged_by_its_text(seen):
    assert seen["sd3"].startswith("No picture was drawn: only of Portraits' pictures is it known what they show.")
    assert "4 swaps into pairs of concepts that fitting saw together" in seen["sd3"]
    assert "results.json" in seen["sd3"] and min(seen["sd3 plot"]) > 100


def test_text_alone_is_judged_on_the_server(comfy_server):
    """The node as a workflow runs it; its pictures would take minutes."""
    inputs = {"clip": ["clip", 0], "dictionary": ["dictionary", 0], "size": "quick", "seed": 3}
    outputs = comfy_server.run(
        {
            "clip": {"class_type": "SupSAE_LoadPortraitsCLIP", "inputs": {}},
            "dictionary": {"class_type": "SupSAE_LoadDictionary", "inputs": {"name": SHIPPED.name}},
            "judge": {"class_type": "SupSAE_EvaluateDictionary", "inputs": inputs},
            "report": {"class_type": "PreviewAny", "inputs": {"source": ["judge", 0]}},
        }
    )
    report = outputs["report"]["text"][0]
    assert report.startswith("No picture was drawn: connect model and vae")
    (plot,) = outputs["judge"]["images"]
    assert len(comfy_server.view(plot)) > 1000
    (folder,) = (comfy_server.base / "output" / "supsae").glob("evaluation-*-quick-3")
    assert {file.name for file in folder.iterdir()} == {"results.json", "report.html", "cosines.png"}
