"""The nodes in a real server: what they offer and what they refuse."""

import json
import shutil
import time
from pathlib import Path

import pytest
import workflow as workflows

ROOT = Path(__file__).resolve().parents[3]
NODES = {
    "SupSAE_LoadPortraitsCLIP": "SupSAE",
    "SupSAE_LoadDictionary": "SupSAE",
    "SupSAE_ConceptMixer": "SupSAE",
    "SupSAE_ConceptEdit": "SupSAE",
    "SupSAE_ApplyEdits": "SupSAE",
    "SupSAE_Lock": "SupSAE",
    "SupSAE_LockedPicture": "SupSAE",
    "SupSAE_StrengthSweep": "SupSAE",
    "SupSAE_ReadPrompt": "SupSAE",
    "SupSAE_ConceptMap": "SupSAE",
    "SupSAE_ConceptTable": "SupSAE/learn",
    "SupSAE_Capture": "SupSAE/learn",
    "SupSAE_FitDictionary": "SupSAE/learn",
    "SupSAE_BlockMap": "SupSAE/research",
    "SupSAE_EvaluateDictionary": "SupSAE/research",
}
"""Node id, permanent, for people's workflows name it → where it stands in the menu."""


# --- what the server shows -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def schemas(comfy_server):
    return {name: one for name, one in comfy_server.object_info().items() if name.startswith("SupSAE_")}


def test_node_ids_stay(schemas):
    assert set(schemas) == set(NODES)


@pytest.mark.parametrize("node", sorted(NODES))
def test_node_explains_itself(comfy_server, schemas, node):
    schema = schemas[node]
    assert schema["category"] == NODES[node] and schema["description"]
    assert node == f"SupSAE_{schema['display_name'].replace(' ', '')}"
    inputs = workflows.all_inputs(schema)
    for name, spec in inputs.items():
        assert spec.get("tooltip"), f"{name} has no tooltip"
    assert all(schema["output_tooltips"]) and len(schema["output_tooltips"]) == len(schema["output"])
    page = comfy_server.request(f"/extensions/ComfyUI-SupSAE/docs/{node}/en.md").decode()
    assert page.startswith(f"# {schema['display_name']}\n")
    for name in [*inputs, *schema["output_name"]]:
        assert f"`{name.split('.')[-1]}`" in page, f"the help page does not speak of {name}"


# --- errors as the person sees them --------------------------------------------------------------------------------


def learn(name: str, **changes) -> dict:
    """Return an API workflow from the table to a fit; `changes` go to Capture."""
    capture = {"name": name, "prompts": 100, "calibration": 28, "mention": 0.75, "held_out": 0.0, "seed": 0}
    capture |= {"record": "prompts", **changes}
    table = "hair: {red: red hair, blond: blond hair}\neyes: {blue: blue eyes, green: green eyes}"
    return {
        "clip": {"class_type": "SupSAE_LoadPortraitsCLIP", "inputs": {}},
        "table": {"class_type": "SupSAE_ConceptTable", "inputs": {"text": table, "file": ""}},
        "capture": {"class_type": "SupSAE_Capture", "inputs": {"clip": ["clip", 0], "table": ["table", 0], **capture}},
        "fit": {"class_type": "SupSAE_FitDictionary", "inputs": {"capture": ["capture", 0], "save": "no"}},
    }


def editing(**changes) -> dict:
    """Return an API workflow that fits and edits "blond hair, green eyes"; `changes` go to Concept Edit."""
    edit = {"action": "swap", "concept": "hair: red", "strength": 1.0, **changes}
    return {
        **learn("errors"),
        "text": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["clip", 0], "text": "blond hair, green eyes"}},
        "edit": {"class_type": "SupSAE_ConceptEdit", "inputs": edit},
        "apply": {
            "class_type": "SupSAE_ApplyEdits",
            "inputs": {
                "dictionary": ["fit", 0],
                "edits": ["edit", 0],
                "conditioning": ["text", 0],
                "where": "everywhere",
            },
        },
        "report": {"class_type": "PreviewAny", "inputs": {"source": ["apply", 2]}},
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
    prompt = learn("errors", **changes)
    prompt["fit"]["inputs"] |= {"save": "in models/supsae", "save.name": name, "save.overwrite": overwrite}
    return prompt


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
    before = {file: file.read_bytes() for file in folder.rglob("*.*")}
    comfy_server.run(learn("settings", seed=3))
    assert {file: file.read_bytes() for file in folder.rglob("*.*")} == before
    beside = folder.with_name("settings_2")
    assert json.loads((beside / "capture.json").read_text(encoding="utf-8"))["seed"] == 3
    comfy_server.run(learn("settings", seed=3))  # found again by its name and settings
    assert not folder.with_name("settings_3").exists()


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
