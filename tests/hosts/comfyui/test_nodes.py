"""The nodes in a real server: what they offer, give out and refuse."""

import json
import shutil

import pytest
import workflow as workflows
from api_workflows import (
    BLOCKS,
    DICTIONARY,
    TABLE,
    auditing,
    capturing,
    editing,
    fitting,
    loading,
    mixing,
    quick,
    saving,
    shown,
    sweeping,
)
from server import ROOT

from supsae.supsae_core.dictionary.file import load_dictionary

MENU = {
    "SupSAE": "LoadPortraitsCLIP LoadDictionary ConceptMixer ConceptEdit ApplyEdits ComparePictures Lock LockedPicture "
    "StrengthSweep TryConcepts Audit ReadPrompt ConceptMap SaveConditioning LoadConditioning",
    "SupSAE/learn": "ConceptTable Capture FitDictionary QuickConcept CombineDictionaries CheckModel",
    "SupSAE/research": "BlockMap EvaluateDictionary",
}
NODES = {f"SupSAE_{name}": place for place, names in MENU.items() for name in names.split()}
"""Node id, permanent, for people's workflows name it → where it stands in the menu."""


# --- what the server shows -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def schemas(comfy_server):
    info = comfy_server.object_info()
    return {name: one for name, one in info.items() if one["python_module"] == "custom_nodes.ComfyUI-SupSAE"}


def test_the_pack_loads_and_node_ids_stay(comfy_server, schemas):
    assert set(schemas) == set(NODES)
    started = comfy_server.log.read_text().split("Starting server")[0]  # what ran later logs errors of its own
    imported = [line for line in started.splitlines() if "ComfyUI-SupSAE" in line]
    assert imported, "ComfyUI did not list the pack among its custom nodes"
    assert not any("FAILED" in line or "Error" in line or "Cannot import" in line for line in imported)


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


def test_what_workflows_name_stays(schemas):
    promised = json.loads((ROOT / "tests" / "promises.json").read_text(encoding="utf-8"))["nodes"]
    found = {name: {"inputs": list(workflows.all_inputs(schemas[name])), "outputs": schemas[name]["output_name"]}
             for name in NODES}  # fmt: skip
    assert found == promised, "widgets are stored by their order, links by their names: both are for ever"
    assert schemas["SupSAE_ConceptMixer"]["input"]["required"]["mix"][1]["default"] == "{}"


# --- what they give out --------------------------------------------------------------------------------------------


def test_edit_reports_what_it_did(comfy_server):
    found, changed = comfy_server.run(editing())["report"]["text"][0].splitlines()
    assert found == "found hair: blond, eyes: green, expression: smile, background: beach"
    assert changed == "changed hair: blond to hair: red (strength 1)"


def test_mixer_shows_its_panel(comfy_server):
    outputs = comfy_server.run(mixing({"hair": {"say": "red"}, "eyes": {"keep": True}}, "conditioning"))
    (panel,) = outputs["mixer"]["supsae_mixer"]
    assert list(panel) == ["version", "categories", "safe", "mix", "prompts", "left_out", "report"]
    assert panel["version"] == 1 and panel["safe"] == [0, 1]
    hair = panel["categories"][1]
    assert hair["name"] == "hair" and hair["identified"] is True
    colours = ("blond", "red", "black", "blue")
    assert hair["concepts"] == [{"name": name, "says": f"{name} hair", "warning": ""} for name in colours]
    (prompt,) = panel["prompts"]
    assert prompt["after"]["hair"] == ["red"] and prompt["held"] == {"eyes": True}
    assert prompt["verdicts"] == {"hair": {"verdict": "took", "reason": ""}}
    assert outputs["shown"]["text"] == [panel["report"]]


@pytest.mark.parametrize("place", ["conditioning", "model"])
def test_mixer_leaves_out_what_the_dictionary_lacks(comfy_server, place):
    rows = {"horns": {"keep": True}, "hair": {"say": "rde"}, "eyes": {"say": "blue"}}
    outputs = comfy_server.run(mixing(rows, place))
    (panel,) = outputs["mixer"]["supsae_mixer"]
    assert list(panel["mix"]) == list(rows) and list(panel["left_out"]) == ["horns", "hair"]
    for told in ("Left out, horns: There is no category 'horns'", "Left out, hair: There is no concept 'hair: rde'"):
        assert told in outputs["shown"]["text"][0]


def test_a_number_drives_a_slider_of_the_mixer(comfy_server):
    flow = mixing({"hair": {"say": "black"}, "eyes": {"say": "blue"}}, "conditioning")
    edit = {"action": "swap", "concept": "hair: red", "strength": ["number", 0]}
    flow["number"] = {"class_type": "PrimitiveFloat", "inputs": {"value": 0.9}}
    flow["edit"] = {"class_type": "SupSAE_ConceptEdit", "inputs": edit}
    flow["mixer"]["inputs"]["edits"] = ["edit", 0]
    outputs = comfy_server.run(flow)
    (panel,) = outputs["mixer"]["supsae_mixer"]
    assert "changed hair: blond to hair: red (strength 0.9)" in outputs["shown"]["text"][0]
    assert panel["left_out"] == {"hair": "an edit that is connected is made instead: swap hair: red (strength 0.9)."}
    assert panel["prompts"][0]["after"]["eyes"] == ["blue"]


def test_table_is_read_from_a_file_and_read_again_when_it_changes(comfy_server):
    prompt = {"table": capturing("", file="mine.yaml")["table"], "show": shown("table", 1)}
    for colours in (["red", "blue"], ["red", "blue", "green"]):
        (comfy_server.base / "input" / "mine.yaml").write_text(json.dumps({"coat": colours}), encoding="utf-8")
        text = comfy_server.run(prompt)["show"]["text"][0]
        assert text.splitlines()[1] == f"coat: {', '.join(colours)}"


def test_sweep_calibrates_and_saves(comfy_server):
    save = {"calibrate": "yes, and save in models/supsae", "calibrate.name": "even", "calibrate.overwrite": False}
    outputs = comfy_server.run(sweeping("0, 0.3, 0.5, 0.7, 1", save))
    told = outputs["report"]["text"][0].splitlines()
    assert "calibrated hair: red on 2 pictures: safe from 0 to 1" in told
    assert told[-1] == "saved as even.safetensors in models/supsae" and outputs["asked"]["supsae_told"] == [
        "\n".join(told)
    ]
    kept = load_dictionary(comfy_server.base / "models/supsae/even.safetensors")
    assert list(kept.sliders) == ["hair: red"]
    (comfy_server.base / "models/supsae/even.safetensors").unlink()


def test_audit_says_how_often_and_of_every_seed(comfy_server):
    outputs = comfy_server.run({**auditing(2), "lines": shown("asked", 3)})
    first, second, *_ = told = outputs["report"]["text"][0].splitlines()
    # Wilson's interval of none and of all of two: 0 … z² / (2 + z²) = 66 %, and what is left of 1
    assert first == "hair: red in 0 of 2 pictures before (0% … 66%), in 2 of 2 after (34% … 100%)."
    assert second == "As asked in 2 of 2 pictures (34% … 100%)."
    assert told[-1] == "changed hair: blond to hair: red (strength 1)"
    lines = outputs["lines"]["text"][0].splitlines()
    assert [line.split(" (as asked)")[0] for line in lines] == [f"seed {n}: hair blond → red" for n in (2, 3)]
    assert outputs["asked"]["supsae_told"] == ["\n".join(told)] and len(outputs["asked"]["images"]) == 1


def test_conditioning_is_saved_and_loaded_without_an_encoder(comfy_server):
    told = comfy_server.run(saving("red"))["save"]["supsae_told"][0].splitlines()
    assert told[0] == "saved as red.safetensors in output/supsae/conditionings"
    outputs = comfy_server.run(loading("red.safetensors"))
    assert outputs["load"]["supsae_told"] == outputs["report"]["text"] == ["\n".join(told[1:])]
    assert told[2:] == [
        "edited: swap hair: red (strength 1)",
        "by the dictionary portraits.safetensors, for the text encoders clip, t5 of Portraits",
    ]
    assert comfy_server.run(loading("red.safetensors", drawn=True))["picture"]["images"]


def test_two_poles_are_a_slider_at_once(comfy_server):
    outputs = comfy_server.run(quick("blond hair", "red hair") | {"told": shown("quick", 1)})
    told = outputs["told"]["text"][0].splitlines()
    assert told[0] == "slider from blond or red: blond hair to blond or red: red hair"
    # 12 pairs are 24 prompts, and 8 to calibrate on 16
    assert told[1].startswith("learnt from 40 encodings: 12 pairs of prompts, and 8 to calibrate on")
    assert outputs["quick"]["supsae_told"][0].splitlines() == told[: told.index("")]
    changed = outputs["report"]["text"][0].splitlines()[1]
    assert changed == "changed blond or red: blond hair to blond or red: red hair (strength 1)"


# --- errors as the person sees them --------------------------------------------------------------------------------


def blocks(**changes):
    return capturing("refused", **BLOCKS | {f"record.{name}": value for name, value in changes.items()})


TWICE = TABLE + "\nhair: [blue hair]"
INPUT_FOLDER = "input folder|cannot be read"
REFUSED = {
    "few strengths": (
        sweeping("0, 0.5, 1", {"calibrate": "yes"}),
        "at least 3 strengths between them, not from 0, 0.5",
    ),
    "misspelt": (editing(concept="hair: rde"), "Did you mean 'hair: red'"),
    "removed": (editing(action="remove", concept="eyes: blue"), "Cannot remove 'eyes: blue': the prompt does not say"),
    "added": (editing(action="add", concept="eyes: blue"), "the prompt says 'eyes: green' already"),
    "mixer on both": (mixing({}, "conditioning", "model"), "the edit would be made twice. Disconnect"),
    "mixer on neither": (mixing({}), "Concept Mixer has nothing to change. Connect a conditioning"),
    "no JSON": (mixing("hair: red", "conditioning"), "The mix is not readable JSON"),
    "equal poles": (quick("the red hair", "red hair"), "Both poles say 'red hair'"),
    "no pole": (quick("red hair", " "), "The high pole ' ' says nothing"),
    "poles apart in two places": (quick("red hair, smiling", "blond hair, sad"), "differ in more than one place"),
    "block": (blocks(sites="txt@0-3"), "There is no txt@3: this model has 3 blocks"),
    "no stream": (blocks(sites="cond"), "Activations are captured at txt@i and img@i, not at cond"),
    "no site": (blocks(sites="text@1"), "There is no site 'text@1'"),
    "no place for tokens": (blocks(sites="txt@1", image="positions"), "no site is of the picture's"),
    "category twice": (capturing("refused", TWICE), "line 3: 'hair' is written twice .first in line 1"),
    "no table": (capturing("refused", ""), "The concept table is empty"),
    "table file above": (capturing("refused", file="../secret.yaml"), INPUT_FOLDER),
    "table file elsewhere": (capturing("refused", file="/etc/passwd"), INPUT_FOLDER),
    "table file of another kind": (capturing("refused", file="mine.txt"), INPUT_FOLDER),
    "no table file": (capturing("refused", file="missing.yaml"), INPUT_FOLDER),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_is_a_sentence(comfy_server, name):
    prompt, sentence = REFUSED[name]
    with pytest.raises(RuntimeError, match=sentence):
        comfy_server.run(prompt)
    assert not (comfy_server.base / "output/supsae/captures/refused").exists()


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", "", ".hidden", "x" * 81, "nul\0"])
def test_names_stay_in_their_folder(comfy_server, name):
    for prompt in (
        capturing(name),
        saving(name),
        *([fitting("kept", name)] if name else []),
    ):  # without one it is named after its words
        with pytest.raises(RuntimeError, match="cannot name"):
            comfy_server.run(prompt)


def test_strange_dictionary_file_is_refused(comfy_server):
    folder = comfy_server.base / "models" / "supsae"
    folder.mkdir(exist_ok=True)
    whole = (ROOT / "portraits/weights/supsae/portraits.safetensors").read_bytes()
    (folder / "truncated.safetensors").write_bytes(whole[: len(whole) // 2])
    shutil.copy(ROOT / "portraits/weights/text_encoders.safetensors", folder / "foreign.safetensors")
    refusals = {"truncated": "not a whole safetensors file", "foreign": "is not a SupSAE dictionary"}
    for name, sentence in refusals.items():
        load = {**DICTIONARY, "inputs": {"name": f"{name}.safetensors"}}
        with pytest.raises(RuntimeError, match=sentence):
            comfy_server.run({"load": load, "show": shown("load", 1)})
        (folder / f"{name}.safetensors").unlink()


STRANGE = {"foreign": "is not a saved conditioning", "cut": "not a whole safetensors file"}


def test_strange_conditioning_file_is_refused(comfy_server):
    whole = comfy_server.run(saving("whole")) and comfy_server.base / "output/supsae/conditionings/whole.safetensors"
    folder = comfy_server.base / "input"
    (folder / "cut.safetensors").write_bytes(whole.read_bytes()[:-9])
    shutil.copy(ROOT / "portraits/weights/supsae/portraits.safetensors", folder / "foreign.safetensors")
    for name, sentence in STRANGE.items():
        with pytest.raises(RuntimeError, match=sentence):
            comfy_server.run(loading(f"{name}.safetensors [input]"))
        (folder / f"{name}.safetensors").unlink()
