"""The templates and the blueprint: each is whole and legal on a real server, and each that needs no download runs."""

import copy
import io
import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import workflow as workflows
from PIL import Image

from supsae.portraits import reader
from supsae.supsae_core.editing import mix
from supsae.supsae_core.editing.mix import SayRow
from supsae.supsae_core.table.parsing import parse_table

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = [
    "Edit a portrait",
    "Judge a dictionary",
    "Keep the rest",
    "Learn your own dictionary",
    "Mix ten concepts",
    "SD3.5 - learn and edit",
    "Steer inside the model",
    "Sweep a strength",
    "Where does it act",
]
BLUEPRINT = "Edit by concepts"
NOT_HERE = {("CheckpointLoaderSimple", "ckpt_name")}  # Stable Diffusion's own file
THUMBNAIL = 60_000  # bytes
PORTRAIT = {"background": "beach", "hair": "blond", "haircut": "long", "eyes": "green"}
PORTRAIT |= {"eyewear": "none", "hat": "none", "clothing": "stripes", "expression": "smile"}
"""What most templates' prompt says."""


def load(name: str, folder: str = "example_workflows") -> dict:
    return json.loads((ROOT / folder / f"{name}.json").read_text(encoding="utf-8"))


def titled(workflow: dict, title: str) -> str:
    """Return the id of the node with this title."""
    (found,) = [str(node["id"]) for node in workflow["nodes"] if node.get("title") == title]
    return found


def typed(prompt: dict, node: str) -> dict:
    """Return the inputs of the one node of this type."""
    (found,) = [entry["inputs"] for entry in prompt.values() if entry["class_type"] == node]
    return found


def of_type(workflow: dict, kind: str) -> dict:
    """Return the one node of this type."""
    (found,) = [node for node in workflow["nodes"] if node["type"] == kind]
    return found


def pixels(server, outputs: dict, node: str) -> np.ndarray:
    (file,) = outputs[node]["images"]
    return np.asarray(Image.open(io.BytesIO(server.view(file))).convert("RGB"))


def read(picture: np.ndarray) -> dict[str, str]:
    """Say what the pack's own reader sees in an enlarged portrait."""
    small = np.asarray(Image.fromarray(picture).resize((128, 128), Image.Resampling.BOX), np.float32) / 255
    return reader.load_reader().read(torch.from_numpy(small).permute(2, 0, 1)[None])[0]


@pytest.fixture(scope="module")
def info(comfy_server):
    return comfy_server.object_info()


@pytest.fixture
def run(comfy_server, info):
    """Return `run(workflow)`: its outputs by node id."""
    return lambda workflow: comfy_server.run(workflows.to_api(workflow, info))


# --- whole and legal -----------------------------------------------------------------------------------------------


def test_the_list_is_what_lies_in_the_folder():
    assert sorted(path.stem for path in (ROOT / "example_workflows").glob("*.json")) == TEMPLATES
    assert [path.stem for path in (ROOT / "subgraphs").glob("*.json")] == [BLUEPRINT]


@pytest.mark.parametrize("name", TEMPLATES)
def test_template_is_offered_with_a_picture(comfy_server, name):
    assert name in comfy_server.get("/api/workflow_templates")["ComfyUI-SupSAE"]
    file = ROOT / "example_workflows" / f"{name}.jpg"
    with Image.open(file) as picture:
        assert picture.format == "JPEG" and min(picture.size) >= 384
    assert file.stat().st_size <= THUMBNAIL
    assert not set(name) & set('<>:"/\\|?*')  # Windows has no such file names


@pytest.mark.parametrize("name", TEMPLATES)
def test_template_is_legal(info, name):
    assert workflows.faults(load(name), info, not_here=NOT_HERE) == []


def bounds(node: dict) -> tuple[float, float, float, float]:
    (x, y), (width, height) = node["pos"], node["size"]
    return x, y - 30, x + width, y + height  # 30: the title bar


@pytest.mark.parametrize("name", TEMPLATES)
def test_template_is_laid_out(name):
    nodes = load(name)["nodes"]
    boxes = [bounds(node) for node in nodes]
    for i, a in enumerate(boxes):
        for j, b in enumerate(boxes[:i]):
            apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
            assert apart, f"{nodes[i]['type']} lies on {nodes[j]['type']}"
    (note,) = [node["widgets_values"][0] for node in nodes if node["type"] == "MarkdownNote"]
    assert note.startswith("# ") and "\n## Try\n" in note


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_note_speaks_of_templates_that_are_there(name):
    (note,) = [node["widgets_values"][0] for node in load(name)["nodes"] if node["type"] == "MarkdownNote"]
    assert set(re.findall(r"(?:template|workflow) \*(.+?)\*", note)) <= set(TEMPLATES)


def test_ids_of_templates_differ():
    assert len({load(name)["id"] for name in TEMPLATES}) == len(TEMPLATES)


def broken(fault):
    """Return Edit a portrait with one fault, made by a function of its nodes by id and of the workflow."""
    workflow = copy.deepcopy(load("Edit a portrait"))
    fault({node["id"]: node for node in workflow["nodes"]}, workflow)
    return workflow


def sampler(nodes):
    return next(node for node in nodes.values() if node["type"] == "KSampler")


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (lambda nodes, _: sampler(nodes).update(type="KSamplerOfMine"), "no such node"),
        (lambda nodes, _: nodes[2].update(id=3), "node 3 is there twice"),
        (lambda _, workflow: workflow["links"].append(workflow["links"][0]), "link 1 is there twice"),
        (lambda _, workflow: workflow["links"].pop(), "is not there"),
        (lambda _, workflow: workflow["links"][0].__setitem__(2, 7), "slot 7, is not there"),
        (lambda _, workflow: workflow["links"][0].__setitem__(5, "VAE"), "is VAE, its origin"),
        (lambda nodes, _: sampler(nodes)["inputs"][0].update(link=None), "input model is connected to nothing"),
        (lambda nodes, _: sampler(nodes)["inputs"][0].update(name="modell"), "no input modell"),
        (lambda nodes, _: sampler(nodes)["inputs"][0].update(type="VAE"), "input model is VAE, not MODEL"),
        (lambda nodes, _: sampler(nodes)["outputs"][0].update(name="latent"), "its outputs are"),
        (lambda nodes, _: sampler(nodes)["widgets_values"].pop(), "too few"),
        (lambda nodes, _: sampler(nodes)["widgets_values"].append(1), "belong to no widget"),
        (lambda nodes, _: sampler(nodes)["widgets_values"].__setitem__(1, "randomize"), "would change with every run"),
        (lambda nodes, _: sampler(nodes)["widgets_values"].__setitem__(2, 0), "steps cannot be 0"),
        (lambda nodes, _: sampler(nodes)["widgets_values"].__setitem__(2, "16"), "steps cannot be '16'"),
        (lambda nodes, _: sampler(nodes)["widgets_values"].__setitem__(3, 101.0), "cfg cannot be 101.0"),
        (lambda nodes, _: sampler(nodes)["widgets_values"].__setitem__(4, "euclid"), "sampler_name cannot be 'euclid'"),
        (lambda nodes, _: nodes[2]["widgets_values"].__setitem__(0, "flux.safetensors"), "unet_name cannot be"),
    ],
)
def test_planted_faults_are_found(info, fault, sentence):
    assert sentence in "\n".join(workflows.faults(broken(fault), info))


# --- each tells its story ------------------------------------------------------------------------------------------


def test_edit_a_portrait_runs_as_it_is(comfy_server, info):
    workflow = load("Edit a portrait")
    prompt = workflows.to_api(workflow, info)
    outputs = comfy_server.run(prompt)
    report = outputs[titled(workflow, "What was found and changed")]["text"][0]
    assert "found hair: blond, haircut: long, eyes: green, eyewear: none, hat: none, clothing: stripes" in report
    assert "changed hair: blond to hair: red (strength 1)" in report
    before, after = (pixels(comfy_server, outputs, titled(workflow, one)) for one in ("Before", "After"))
    assert read(before) == PORTRAIT
    assert read(after) == PORTRAIT | {"hair": "red"}
    typed(prompt, "SupSAE_ConceptMixer")["mix"] = '{"version": 1, "mix": {"hair": {"say": "red", "strength": 0}}}'
    outputs = comfy_server.run(prompt)
    after = pixels(comfy_server, outputs, titled(workflow, "After"))
    assert (before == after).all()


def test_mix_ten_concepts_runs_as_it_is(comfy_server, run):
    workflow = load("Mix ten concepts")
    outputs = run(workflow)
    before, after = (read(pixels(comfy_server, outputs, titled(workflow, one))) for one in ("Before", "After"))
    rows = mix.parse_mix(of_type(workflow, "SupSAE_ConceptMixer")["widgets_values"][0]).rows
    assert after == {name: row.concept for name, row in rows.items() if isinstance(row, SayRow)}
    assert not any(before[name] == after[name] for name in after)
    report = outputs[titled(workflow, "What was found and changed")]["text"][0]
    assert report.count("changed ") + report.count("added ") == len(rows) == 8
    assert 2 * report.count("changed ") + report.count("added ") == 10  # what is changed goes, and another comes


def test_learn_your_own_dictionary_runs_as_it_is(comfy_server, run):
    workflow = load("Learn your own dictionary")
    outputs = run(workflow)
    report = outputs[titled(workflow, "Did it work?")]["text"][0]
    assert "10 concepts in 3 categories" in report and "learnt from 300 prompts" in report
    assert "Poorly learnt" in report and "Everything is identified" in report
    assert min(pixels(comfy_server, outputs, str(of_type(workflow, "SupSAE_FitDictionary")["id"])).shape[:2]) >= 400
    before, after = (read(pixels(comfy_server, outputs, titled(workflow, one))) for one in ("Before", "After"))
    assert (before["hair"], before["hat"], before["expression"]) == ("blond", "none", "smile")
    assert (after["hair"], after["hat"], after["expression"]) == ("red", "crown", "surprised")
    names = comfy_server.object_info("SupSAE_LoadDictionary")["input"]["required"]["name"][1]["options"]
    assert "ten_concepts.safetensors" in names


def test_keep_the_rest_runs_as_it_is(comfy_server, info):
    workflow = load("Keep the rest")
    prompt = workflows.to_api(workflow, info)
    outputs = comfy_server.run(prompt)
    before, after, mask = (pixels(comfy_server, outputs, titled(workflow, one)) for one in ("Before", "After", "Mask"))
    assert read(before)["hair"] == "blond" and read(after) == read(before) | {"hair": "red"}
    held = np.asarray(Image.fromarray(mask[..., 0]).resize((16, 16), Image.Resampling.BOX)) == 0
    assert 0.1 < held.mean() < 1
    far = ~np.kron(grown(~held, 3), np.ones((24, 24), bool))  # cells of 8 pixels, enlarged three times
    assert far.any() and (before[far] == after[far]).all()  # beyond the decoder's reach, and Lanczos's
    typed(prompt, "SupSAE_ConceptEdit")["strength"] = 0.0
    outputs = comfy_server.run(prompt)
    assert (pixels(comfy_server, outputs, titled(workflow, "After")) == before).all()


def grown(cells: np.ndarray, reach: int) -> np.ndarray:
    """Widen a mask by some cells to every side."""
    padded = np.pad(cells, reach)
    size = 2 * reach + 1
    return np.lib.stride_tricks.sliding_window_view(padded, (size, size)).any((2, 3))


def test_steer_inside_the_model_runs_as_it_is(comfy_server, info):
    workflow = load("Steer inside the model")
    prompt = workflows.to_api(workflow, info)
    outputs = comfy_server.run(prompt)
    report = outputs[titled(workflow, "Did it work?")]["text"][0]
    assert "learnt from 60 prompts" in report and "txt@1" in report
    before, after = (pixels(comfy_server, outputs, titled(workflow, one)) for one in ("Before", "After"))
    assert (before != after).any()
    typed(prompt, "SupSAE_ApplyEdits")["where.sites"] = "cond, pooled"
    outputs = comfy_server.run(prompt)
    assert read(pixels(comfy_server, outputs, titled(workflow, "After")))["hair"] == "red"


@pytest.mark.parametrize(
    ("name", "pictures", "texts"),
    [
        (
            "Sweep a strength",
            ["From nothing to more than the word"],
            {"What the prompt says": "hair: blond", "What was found and changed": "hair: red"},
        ),
        (
            "Where does it act",
            ["Where in the picture", "Where in the model", "From block to block"],
            {"How much": "hair: blond", "In numbers": "block"},
        ),
    ],
)
def test_templates_that_show_run_as_they_are(comfy_server, run, name, pictures, texts):
    workflow = load(name)
    outputs = run(workflow)
    for title in pictures:
        assert pixels(comfy_server, outputs, titled(workflow, title)).std() > 10, f"{title} is blank"
    for title, words in texts.items():
        assert words in outputs[titled(workflow, title)]["text"][0]


def test_judge_a_dictionary_starts_as_it_is(comfy_server, info):
    """It is stopped once it has drawn a few pictures: all of them take minutes. test_evaluate runs few to the end."""
    queued = comfy_server.queue(workflows.to_api(load("Judge a dictionary"), info))
    deadline = time.monotonic() + 120
    while "SupSAE: The run draws" not in comfy_server.log.read_text(errors="replace") and time.monotonic() < deadline:
        time.sleep(0.1)
    comfy_server.interrupt()
    with pytest.raises(RuntimeError, match="interrupted at SupSAE_EvaluateDictionary"):
        comfy_server.wait(queued)


# --- SD3.5, whose weights are not here ------------------------------------------------------------------------------


def test_sd35_speaks_of_what_its_table_holds():
    workflow = load("SD3.5 - learn and edit")
    table = parse_table(of_type(workflow, "SupSAE_ConceptTable")["widgets_values"][0])
    rows = mix.parse_mix(of_type(workflow, "SupSAE_ConceptMixer")["widgets_values"][0]).rows
    names = {str(concept) for concept in table.concepts}
    assert {f"{name}: {row.concept}" for name, row in rows.items()} <= names
    prompt = next(node for node in workflow["nodes"] if node.get("title") == "Prompt")["widgets_values"][0]
    said = {concept.category for concept in table.concepts if any(phrase in prompt for phrase in concept.phrases)}
    assert set(rows) <= said  # each row changes something that the prompt says


def test_sd35_note_gives_the_numbers_of_its_nodes():
    workflow = load("SD3.5 - learn and edit")
    note = of_type(workflow, "MarkdownNote")["widgets_values"][0]
    table = parse_table(of_type(workflow, "SupSAE_ConceptTable")["widgets_values"][0])
    assert f"Learns {len(table)} everyday concepts" in note
    _, prompts, calibration, *_ = of_type(workflow, "SupSAE_Capture")["widgets_values"]
    assert f"encodes {prompts + 2 * calibration} prompts" in note  # a prompt for calibration has a rewritten copy
    loader = of_type(workflow, "CheckpointLoaderSimple")
    (file,) = loader["properties"]["models"]  # what ComfyUI offers to download
    assert file["name"] == loader["widgets_values"][0] and file["name"] in note and file["url"].endswith(file["name"])
    assert f"`models/{file['directory']}`" in note
    assert of_type(workflow, "SupSAE_FitDictionary")["widgets_values"][1] in note


def test_sd35_measured_shares_are_those_of_the_benchmark():
    (measured,) = json.loads((ROOT / "benchmarks/results/sd35_sizes.json").read_text(encoding="utf-8")).values()
    note = of_type(load("SD3.5 - learn and edit"), "MarkdownNote")["widgets_values"][0]
    share, memory = measured["apply"]["cond, pooled"]["share"], measured["apply_memory"]
    assert f"adds {share:.2%} to the time of a step and {memory:.2%} to the memory".replace("%", " %") in note


# --- the blueprint --------------------------------------------------------------------------------------------------


def subgraph() -> dict:
    """Return the inside of the blueprint."""
    (found,) = load(BLUEPRINT, "subgraphs")["definitions"]["subgraphs"]
    return found


def test_blueprint_is_offered(comfy_server):
    offered = comfy_server.get("/api/global_subgraphs")
    (key,) = [key for key, one in offered.items() if one["info"]["node_pack"] == "custom_nodes.ComfyUI-SupSAE"]
    assert offered[key]["name"] == BLUEPRINT
    assert json.loads(comfy_server.get(f"/api/global_subgraphs/{key}")["data"]) == load(BLUEPRINT, "subgraphs")


def test_blueprint_is_legal(info):
    inside = subgraph()
    assert workflows.faults(inside, info) == []
    (outside,) = load(BLUEPRINT, "subgraphs")["nodes"]
    assert outside["type"] == inside["id"]
    for side in ("inputs", "outputs"):
        ends = [(one["name"], one["type"]) for one in inside[side]]
        assert [(one["name"], one["type"]) for one in outside[side]] == ends
    wires = {link.number: link for link in workflows.links(inside)}
    for slot, one in enumerate(inside["inputs"]):
        (link,) = (wires[number] for number in one["linkIds"])
        assert (link.origin, link.origin_slot, link.type) == (-10, slot, one["type"])
    for slot, one in enumerate(inside["outputs"]):
        (link,) = (wires[number] for number in one["linkIds"])
        assert (link.target, link.target_slot, link.type) == (-20, slot, one["type"])
    promoted = [one["name"] for one in outside["inputs"] if "widget" in one]
    assert promoted == ["name", "mix"] and len(outside["widgets_values"]) == len(promoted)
    # The frontend renumbers nodes when it puts a blueprint in, but not the numbers in this list, and gives up on it.
    assert "proxyWidgets" not in outside["properties"]


def test_blueprint_edits(comfy_server, info):
    inside = subgraph()
    prompt = workflows.to_api(inside, info)
    mixer = typed(prompt, "SupSAE_ConceptMixer")
    number = str(of_type(inside, "SupSAE_ConceptMixer")["id"])
    prompt |= {
        "clip": {"class_type": "SupSAE_LoadPortraitsCLIP", "inputs": {}},
        "text": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["clip", 0], "text": "blond hair, green eyes"}},
        "report": {"class_type": "PreviewAny", "inputs": {"source": [number, 2]}},
    }
    mixer |= {"conditioning": ["text", 0], "mix": '{"version": 1, "mix": {"hair": {"say": "red"}}}'}
    assert "changed hair: blond to hair: red (strength 1)" in comfy_server.run(prompt)["report"]["text"][0]
