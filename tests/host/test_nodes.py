"""The nodes in a real server: what they offer, what they refuse, and the two workflows that come with the pack."""

import io
import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from supsae.portraits import reader

ROOT = Path(__file__).resolve().parents[2]
NODES = {
    "SupSAE_PortraitsCLIPLoader",
    "SupSAE_ConceptTable",
    "SupSAE_Capture",
    "SupSAE_CaptureActivations",
    "SupSAE_Fit",
    "SupSAE_SaveDictionary",
    "SupSAE_LoadDictionary",
    "SupSAE_Edit",
    "SupSAE_ApplyToConditioning",
    "SupSAE_ApplyToModel",
    "SupSAE_Lock",
    "SupSAE_LockedPicture",
    "SupSAE_ReadPrompt",
    "SupSAE_ConceptMap",
    "SupSAE_BlockMap",
    "SupSAE_StrengthSweep",
    "SupSAE_EvaluateDictionary",
}  # permanent: people's workflows name them
WORKFLOWS = [
    "Edit a portrait",
    "Judge a dictionary",
    "Keep the rest",
    "Learn a dictionary",
    "Steer inside the model",
    "Sweep a strength",
    "Where does it act",
]
NOT_SENT = {"MarkdownNote", "Note"}  # drawn by the frontend only
WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}


# --- workflows -----------------------------------------------------------------------------------------------------


def to_api(workflow: dict, info: dict) -> dict:
    """Turn a saved workflow into what the frontend posts: widget values by position become inputs by name."""
    origin = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    prompt = {}
    for node in workflow["nodes"]:
        if node["type"] in NOT_SENT:
            continue
        linked = {one["name"]: origin[one["link"]] for one in node["inputs"] if one["link"] is not None}
        inputs = widget_values(node, info[node["type"]]) | linked
        prompt[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return prompt


def widget_values(node: dict, schema: dict) -> dict:
    """Name the widget values of a node, in the order of its schema; a seed's extra 'fixed' is passed over."""
    values, named = iter(node["widgets_values"]), {}
    for kind in ("required", "optional"):
        for name, spec in schema["input"].get(kind, {}).items():
            options = spec[1] if len(spec) > 1 else {}
            if isinstance(spec[0], list) or spec[0] in WIDGETS:
                named[name] = next(values)
                if options.get("control_after_generate", name in ("seed", "noise_seed")):
                    assert next(values) == "fixed", f"{node['type']}: {name} would change with every run"
    assert list(values) == [], f"{node['type']} has more values than widgets"
    return named


def load(name: str) -> dict:
    return json.loads((ROOT / "example_workflows" / f"{name}.json").read_text(encoding="utf-8"))


def titled(workflow: dict, title: str) -> str:
    """Return the id of the node with this title."""
    (found,) = [str(node["id"]) for node in workflow["nodes"] if node.get("title") == title]
    return found


def typed(prompt: dict, node: str) -> dict:
    """Return the inputs of the one node of this type."""
    (found,) = [entry["inputs"] for entry in prompt.values() if entry["class_type"] == node]
    return found


def pixels(server, outputs: dict, node: str) -> np.ndarray:
    (file,) = outputs[node]["images"]
    return np.asarray(Image.open(io.BytesIO(server.view(file))).convert("RGB"))


def read(picture: np.ndarray) -> dict[str, str]:
    """Say what the pack's own reader sees in an enlarged portrait."""
    small = np.asarray(Image.fromarray(picture).resize((128, 128), Image.Resampling.BOX), np.float32) / 255
    return reader.load().read(torch.from_numpy(small).permute(2, 0, 1)[None])[0]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflow_is_offered_as_a_template(comfy_server, name):
    assert name in comfy_server.get("/api/workflow_templates")["ComfyUI-SupSAE"]
    assert (ROOT / "example_workflows" / f"{name}.jpg").is_file()


def bounds(node: dict) -> tuple[float, float, float, float]:
    (x, y), (width, height) = node["pos"], node["size"]
    return x, y - 30, x + width, y + height  # 30: the title bar


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflow_is_laid_out(name):
    nodes = load(name)["nodes"]
    boxes = [bounds(node) for node in nodes]
    for i, a in enumerate(boxes):
        for j, b in enumerate(boxes[:i]):
            apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
            assert apart, f"{nodes[i]['type']} lies on {nodes[j]['type']}"
    assert any(node["type"] == "MarkdownNote" for node in nodes)


def test_learn_a_dictionary_runs_as_it_is(comfy_server):
    workflow = load("Learn a dictionary")
    outputs = comfy_server.run(to_api(workflow, comfy_server.object_info()))
    report = outputs[titled(workflow, "Did it work?")]["text"][0]
    assert "28 concepts in 8 categories" in report and "learnt from 300 prompts" in report
    assert "Poorly learnt" in report and "Everything is identified" in report
    fit = next(str(node["id"]) for node in workflow["nodes"] if node["type"] == "SupSAE_Fit")
    assert min(pixels(comfy_server, outputs, fit).shape[:2]) > 600
    names = comfy_server.object_info("SupSAE_LoadDictionary")["input"]["required"]["name"][1]["options"]
    assert "my_portraits.safetensors" in names


def test_edit_a_portrait_runs_as_it_is(comfy_server):
    workflow = load("Edit a portrait")
    prompt = to_api(workflow, comfy_server.object_info())
    outputs = comfy_server.run(prompt)
    report = outputs[titled(workflow, "What was found and changed")]["text"][0]
    assert "found hair: blond, haircut: long, eyes: green, eyewear: none, hat: none, clothing: stripes" in report
    assert "changed hair: blond to hair: red (strength 1)" in report
    before, after = (pixels(comfy_server, outputs, titled(workflow, one)) for one in ("Before", "After"))
    wanted = {"background": "beach", "hair": "blond", "haircut": "long", "eyes": "green"}
    wanted |= {"eyewear": "none", "hat": "none", "clothing": "stripes", "expression": "smile"}
    assert read(before) == wanted
    assert read(after) == wanted | {"hair": "red"}
    typed(prompt, "SupSAE_Edit")["strength"] = 0.0
    outputs = comfy_server.run(prompt)
    after = pixels(comfy_server, outputs, titled(workflow, "After"))
    assert (before == after).all()


def test_keep_the_rest_runs_as_it_is(comfy_server):
    workflow = load("Keep the rest")
    prompt = to_api(workflow, comfy_server.object_info())
    outputs = comfy_server.run(prompt)
    before, after, mask = (pixels(comfy_server, outputs, titled(workflow, one)) for one in ("Before", "After", "Mask"))
    assert read(before)["hair"] == "blond" and read(after) == read(before) | {"hair": "red"}
    held = np.asarray(Image.fromarray(mask[..., 0]).resize((16, 16), Image.Resampling.BOX)) == 0
    assert 0.1 < held.mean() < 1
    far = ~np.kron(grown(~held, 3), np.ones((24, 24), bool))  # cells of 8 pixels, enlarged three times
    assert far.any() and (before[far] == after[far]).all()  # beyond the decoder's reach, and Lanczos's
    typed(prompt, "SupSAE_Edit")["strength"] = 0.0
    outputs = comfy_server.run(prompt)
    assert (pixels(comfy_server, outputs, titled(workflow, "After")) == before).all()


def grown(cells: np.ndarray, reach: int) -> np.ndarray:
    """Widen a mask by some cells to every side."""
    padded = np.pad(cells, reach)
    size = 2 * reach + 1
    return np.lib.stride_tricks.sliding_window_view(padded, (size, size)).any((2, 3))


def test_steer_inside_the_model_runs_as_it_is(comfy_server):
    workflow = load("Steer inside the model")
    prompt = to_api(workflow, comfy_server.object_info())
    outputs = comfy_server.run(prompt)
    report = outputs[titled(workflow, "Did it work?")]["text"][0]
    assert "learnt from 60 prompts" in report and "txt@1" in report
    before, after = (pixels(comfy_server, outputs, titled(workflow, one)) for one in ("Before", "After"))
    assert (before != after).any()
    typed(prompt, "SupSAE_ApplyToModel")["sites"] = "cond, pooled"
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
def test_workflows_that_show_run_as_they_are(comfy_server, name, pictures, texts):
    workflow = load(name)
    outputs = comfy_server.run(to_api(workflow, comfy_server.object_info()))
    for title in pictures:
        assert pixels(comfy_server, outputs, titled(workflow, title)).std() > 10, f"{title} is blank"
    for title, words in texts.items():
        assert words in outputs[titled(workflow, title)]["text"][0]


def test_judge_a_dictionary_starts_as_it_is(comfy_server):
    """It is stopped once it has drawn a few pictures: all of them take minutes. test_evaluate runs few to the end."""
    queued = comfy_server.queue(to_api(load("Judge a dictionary"), comfy_server.object_info()))
    deadline = time.monotonic() + 120
    while "SupSAE: The run draws" not in comfy_server.log.read_text(errors="replace") and time.monotonic() < deadline:
        time.sleep(0.1)
    comfy_server.interrupt()
    with pytest.raises(RuntimeError, match="interrupted at SupSAE_EvaluateDictionary"):
        comfy_server.wait(queued)


# --- what the server shows -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def schemas(comfy_server):
    return {name: one for name, one in comfy_server.object_info().items() if name.startswith("SupSAE_")}


def test_node_ids_stay(schemas):
    assert set(schemas) == NODES


@pytest.mark.parametrize("node", sorted(NODES))
def test_node_explains_itself(comfy_server, schemas, node):
    schema = schemas[node]
    assert schema["category"] == "SupSAE" and schema["display_name"] and schema["description"]
    inputs = {**schema["input"].get("required", {}), **schema["input"].get("optional", {})}
    for name, spec in inputs.items():
        assert spec[1].get("tooltip"), f"{name} has no tooltip"
    assert all(schema["output_tooltips"]) and len(schema["output_tooltips"]) == len(schema["output"])
    page = comfy_server.request(f"/extensions/ComfyUI-SupSAE/docs/{node}/en.md").decode()
    assert page.startswith(f"# {schema['display_name']}\n")
    for name in [*inputs, *schema["output_name"]]:
        assert f"`{name}`" in page, f"the help page does not speak of {name}"


# --- errors as the person sees them --------------------------------------------------------------------------------


def learn(name: str, **changes) -> dict:
    """Return an API workflow from the table to a fit; `changes` go to Capture."""
    capture = {"name": name, "prompts": 100, "calibration": 28, "mention": 0.75, "held_out": 0.0, "seed": 0, **changes}
    table = "hair: {red: red hair, blond: blond hair}\neyes: {blue: blue eyes, green: green eyes}"
    return {
        "clip": {"class_type": "SupSAE_PortraitsCLIPLoader", "inputs": {}},
        "table": {"class_type": "SupSAE_ConceptTable", "inputs": {"text": table, "file": ""}},
        "capture": {"class_type": "SupSAE_Capture", "inputs": {"clip": ["clip", 0], "table": ["table", 0], **capture}},
        "fit": {"class_type": "SupSAE_Fit", "inputs": {"capture": ["capture", 0]}},
    }


def editing(**changes) -> dict:
    """Return an API workflow that fits and edits "blond hair, green eyes"; `changes` go to Concept Edit."""
    edit = {"action": "swap", "concept": "hair: red", "strength": 1.0, **changes}
    return {
        **learn("errors"),
        "text": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["clip", 0], "text": "blond hair, green eyes"}},
        "edit": {"class_type": "SupSAE_Edit", "inputs": edit},
        "apply": {
            "class_type": "SupSAE_ApplyToConditioning",
            "inputs": {"conditioning": ["text", 0], "dictionary": ["fit", 0], "edits": ["edit", 0]},
        },
        "report": {"class_type": "PreviewAny", "inputs": {"source": ["apply", 1]}},
    }


def test_edit_reports_what_it_did(comfy_server):
    text = comfy_server.run(editing())["report"]["text"][0]
    assert text == "found hair: blond, eyes: green\nchanged hair: blond to hair: red (strength 1)"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"concept": "hair: rde"}, "Did you mean 'hair: red'"),
        ({"concept": "red"}, "Did you mean 'hair: red'"),
        ({"action": "remove", "concept": "eyes: blue"}, "Cannot remove 'eyes: blue': the prompt does not say it"),
        ({"action": "add", "concept": "eyes: blue"}, "the prompt says 'eyes: green' already"),
    ],
)
def test_wrong_edit_gets_a_sentence(comfy_server, changes, sentence):
    with pytest.raises(RuntimeError) as error:
        comfy_server.run(editing(**changes))
    assert sentence in str(error.value)


def test_strange_dictionary_file_is_refused(comfy_server):
    folder = comfy_server.base / "models" / "supsae"
    comfy_server.run(saving("whole"))
    whole = (folder / "whole.safetensors").read_bytes()
    (folder / "truncated.safetensors").write_bytes(whole[: len(whole) // 2])
    shutil.copy(ROOT / "portraits/weights/text_encoders.safetensors", folder / "foreign.safetensors")
    refusals = {"truncated": "not a whole safetensors file", "foreign": "is not a SupSAE dictionary"}
    for name, sentence in refusals.items():
        inputs = {"name": f"{name}.safetensors"}
        prompt = {"load": {"class_type": "SupSAE_LoadDictionary", "inputs": inputs}}
        prompt["show"] = {"class_type": "PreviewAny", "inputs": {"source": ["load", 1]}}
        with pytest.raises(RuntimeError, match=sentence):
            comfy_server.run(prompt)
    prompt["load"]["inputs"]["name"] = "whole.safetensors"
    text = comfy_server.run(prompt)["show"]["text"][0]
    assert text.startswith("hair: red, hair: blond\neyes: blue, eyes: green")


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("hair: [red hair, blond hair]\nhair: [blue hair]", "line 2: 'hair' is written twice (first in line 1)"),
        ("hair: [red hair, blond hair\neyes: [a, b]", "line 2"),
        ("", "The concept table is empty"),
        ("hair: [red hair]", "has one concept only"),
    ],
)
def test_wrong_table_gets_a_sentence(comfy_server, table, sentence):
    prompt = learn("errors")
    prompt["table"]["inputs"]["text"] = table
    with pytest.raises(RuntimeError) as error:
        comfy_server.run(prompt)
    assert sentence in str(error.value)


def test_table_is_read_from_a_file_and_read_again_when_it_changes(comfy_server):
    file = comfy_server.base / "input" / "mine.yaml"
    prompt = learn("errors")
    prompt["table"]["inputs"]["file"] = "mine.yaml"
    prompt = {"table": prompt["table"], "show": {"class_type": "PreviewAny", "inputs": {"source": ["table", 1]}}}
    for colours in (["red", "blue"], ["red", "blue", "green"]):
        file.write_text(json.dumps({"coat": colours}), encoding="utf-8")
        text = comfy_server.run(prompt)["show"]["text"][0]
        assert text.splitlines()[1] == f"coat: {', '.join(colours)}"


@pytest.mark.parametrize("name", ["../secret.yaml", "/etc/passwd", "mine.txt", "missing.yaml"])
def test_table_file_stays_in_the_input_folder(comfy_server, name):
    prompt = learn("errors")
    prompt["table"]["inputs"]["file"] = name
    with pytest.raises(RuntimeError, match="input folder|cannot be read"):
        comfy_server.run(prompt)


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", "", ".hidden", "x" * 81, "nul\0"])
def test_names_stay_in_their_folder(comfy_server, name):
    for prompt in (learn(name), saving(name)):
        with pytest.raises(RuntimeError, match="cannot name"):
            comfy_server.run(prompt)


def saving(name: str, overwrite: bool = False, **changes) -> dict:
    inputs = {"dictionary": ["fit", 0], "name": name, "overwrite": overwrite}
    return {**learn("errors", **changes), "save": {"class_type": "SupSAE_SaveDictionary", "inputs": inputs}}


def test_saving_loses_nothing(comfy_server):
    folder = comfy_server.base / "models" / "supsae"
    comfy_server.run(saving("kept"))
    first = (folder / "kept.safetensors").read_bytes()
    other = learn("other seed", seed=1)
    comfy_server.run(saving("kept") | {"capture": other["capture"]})  # another dictionary of this name
    assert (folder / "kept.safetensors").read_bytes() == first
    assert (folder / "kept_2.safetensors").is_file()
    comfy_server.run(saving("kept", overwrite=True) | {"capture": other["capture"]})
    assert (folder / "kept.safetensors").read_bytes() != first
    assert not (folder / "kept_3.safetensors").exists()


def test_other_settings_do_not_spoil_a_capture(comfy_server):
    comfy_server.run(learn("settings"))
    folder = comfy_server.base / "output/supsae/captures/settings"
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(RuntimeError, match="holds a capture of another seed"):
        comfy_server.run(learn("settings", seed=3))
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_interrupted_capture_goes_on_where_it_stopped(comfy_server):
    folder = comfy_server.base / "output/supsae/captures/long"
    prompt = learn("long", prompts=1200)
    del prompt["fit"]
    queued = comfy_server.queue(prompt)
    deadline = time.monotonic() + 120
    while len(list(folder.glob("shard-*.safetensors"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    comfy_server.interrupt()
    with pytest.raises(RuntimeError, match="interrupted at SupSAE_Capture"):
        comfy_server.wait(queued)
    kept = {file: file.stat().st_mtime_ns for file in folder.glob("shard-*.safetensors")}
    shards = -(-(1200 + 2 * 28) // 64)
    assert 2 <= len(kept) < shards
    comfy_server.run(prompt)
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    assert len(list(folder.glob("shard-*.safetensors"))) == shards


def test_deleted_capture_is_made_again(comfy_server):
    folder = comfy_server.base / "output/supsae/captures/deleted"
    prompt = learn("deleted")
    del prompt["fit"]
    comfy_server.run(prompt)
    shutil.rmtree(folder)
    comfy_server.run(prompt)
    assert (folder / "shard-00000.safetensors").is_file()
