"""The templates and the blueprint: each is offered and whole, and each that needs no download runs once, as it is."""

import io
import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import workflow as workflows
from PIL import Image, ImageSequence

from supsae.portraits import reader
from supsae.supsae_core.editing.mix import SayRow
from supsae.supsae_core.editing.mix_text import parse_mix
from supsae.supsae_core.table.parsing import parse_table

ROOT = Path(__file__).resolve().parents[3]
OF_OTHERS = ["Chroma", "FLUX.1", "FLUX.2 Klein 4B", "FLUX.2 Klein 9B", "Krea 2", "Qwen-Image", "SDXL", "Z-Image"]
"""Families whose template is made of SD3.5's; test_family_templates.py has the rest of what is asked of them."""
TEMPLATES = [
    "Animate a slider", "Check your model", "Edit a portrait", "Judge a dictionary", "Keep the rest",
    "Learn your own dictionary", "Mix ten concepts", "One of two people", "SD3.5 - learn and edit",
    "Steer inside the model", "Sweep a strength", "Where does it act",
]  # fmt: skip
TEMPLATES = sorted([*TEMPLATES, *(f"{title} - learn and edit" for title in OF_OTHERS)])
GRAPHS = ["Check your model", "Judge a dictionary", "Steer inside the model", "Where does it act"]
"""Those that open as graphs: they are about models, or about what lies between prompt and picture."""
SHOWING = {"PreviewImage", "SupSAE_ComparePictures", "SaveAnimatedWEBP"}
"""Nodes whose pictures an app shows: what is done first is seen first, so no mask, which is done before its picture."""
BOXES = 8
"""Nodes of a graph that is read at a glance, the note apart; one that learns as well has two or three more."""
SD35 = "SD3.5 - learn and edit"
BLUEPRINT = "Edit by concepts"
THUMBNAIL = 60_000  # bytes
PORTRAIT = {"background": "beach", "hair": "blond", "haircut": "long", "eyes": "green"}
PORTRAIT |= {"eyewear": "none", "hat": "none", "clothing": "stripes", "expression": "smile"}
"""What most templates' prompt says."""


def load(name: str, folder: str = "example_workflows") -> dict:
    return json.loads((ROOT / folder / f"{name}.json").read_text(encoding="utf-8"))


def of_type(workflow: dict, kind: str) -> dict:
    """Return the one node of this type."""
    (found,) = [node for node in workflow["nodes"] if node["type"] == kind]
    return found


def read(picture: np.ndarray) -> dict[str, str]:
    """Say what the pack's own reader sees in an enlarged portrait."""
    small = np.asarray(Image.fromarray(picture).resize((128, 128), Image.Resampling.BOX), np.float32) / 255
    return reader.load_reader().read(torch.from_numpy(small).permute(2, 0, 1)[None])[0]


def read_both(picture: np.ndarray) -> dict[str, str]:
    """The same of two people side by side."""
    halves = np.split(picture, 2, axis=1)
    return {
        reader.place(side, name): one
        for side, half in zip(reader.SIDES, halves, strict=True)
        for name, one in read(half).items()
    }


@pytest.fixture(scope="module")
def info(comfy_server):
    return comfy_server.object_info()


class Ran:
    """A template's outputs, by the titles of its nodes."""

    def __init__(self, server, workflow, info):
        self._server, self._outputs = server, server.run(workflows.to_api(workflow, info))
        self._numbers = {node.get("title", node["type"]): str(node["id"]) for node in workflow["nodes"]}

    def text(self, title):
        return self._outputs[self._numbers[title]]["text"][0]

    def told(self, title):
        """Return what stands below a node."""
        return self._outputs[self._numbers[title]]["supsae_told"][0]

    def report(self):
        """Return the whole report that a panel is told."""
        return next(found["supsae_report"][0]["text"] for found in self._outputs.values() if "supsae_report" in found)

    def mixer(self):
        """Return what the mixer's panel is told."""
        return next(found["supsae_mixer"][0] for found in self._outputs.values() if "supsae_mixer" in found)

    def compared(self):
        """Return before and after as Compare Pictures shows them."""
        files = self._outputs[self._numbers["Before and after"]]["images"]
        return [np.asarray(Image.open(io.BytesIO(self._server.view(file))).convert("RGB")) for file in files[::-1]]

    def pictures(self, *titles):
        files = [self._outputs[self._numbers[title]]["images"][0] for title in titles]
        return [np.asarray(Image.open(io.BytesIO(self._server.view(file))).convert("RGB")) for file in files]

    def frames(self, title):
        """Return every frame of the film that a node saved."""
        (file,) = self._outputs[self._numbers[title]]["images"]
        with Image.open(io.BytesIO(self._server.view(file))) as film:
            return [np.asarray(one.convert("RGB")) for one in ImageSequence.Iterator(film)]


@pytest.fixture(scope="module")
def ran(comfy_server, info):
    """Return `ran(name)`: what a template gives, run once."""
    return cache(lambda name: Ran(comfy_server, load(name), info))


# --- whole and legal; of types, values and what is missing the server that runs it says the rest --------------------


def test_the_list_is_what_lies_in_the_folder():
    assert sorted(path.stem for path in (ROOT / "example_workflows").glob("*.json")) == TEMPLATES
    assert [path.stem for path in (ROOT / "subgraphs").glob("*.json")] == [BLUEPRINT]


@pytest.mark.parametrize("name", TEMPLATES)
def test_an_app_offers_what_the_template_has_in_words(name):
    workflow = load(name)
    nodes = {node["id"]: node for node in workflow["nodes"]}
    if "linearMode" not in workflow["extra"]:
        assert name in GRAPHS
        return
    asked = workflow["extra"]["linearData"]
    assert asked["inputs"] and {nodes[one]["type"] for one in asked["outputs"]} <= SHOWING
    assert "Mask" not in {nodes[one].get("title") for one in asked["outputs"]}
    for number, widget, *_ in asked["inputs"]:
        (slot,) = [one for one in nodes[number]["inputs"] if one.get("widget", {}).get("name") == widget]
        assert slot["label"] != widget and slot["label"][0].isupper() and slot["link"] is None


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_graph_is_read_at_a_glance(name):
    workflow = load(name)
    boxes = [node for node in workflow["nodes"] if node["type"] != "MarkdownNote"]
    learns = any(node["type"] == "SupSAE_Capture" for node in boxes)
    assert len(boxes) <= BOXES + 3 * learns
    right, low = (max(node["pos"][side] + node["size"][side] for node in workflow["nodes"]) for side in (0, 1))
    view = workflow["extra"]["ds"]
    assert view["scale"] >= 0.6  # below, ComfyUI leaves texts out
    assert (right + view["offset"][0]) * view["scale"] <= 1366
    assert (low + view["offset"][1]) * view["scale"] <= 768 + 0.1 * 768


@pytest.mark.every_frontend
def test_a_template_opens_as_an_app_with_its_sliders_and_pictures(comfy_page):
    page = comfy_page()
    page.load(load("Edit a portrait"), app=True)
    page.skip_tour()
    for label in ("Prompt", "What to change", "Seed of both pictures"):
        page.page.get_by_text(label, exact=True).first.wait_for()
    page.row("hair").get_by_role("slider").fill("0.9")
    mixer = of_type(load("Edit a portrait"), "SupSAE_ConceptMixer")["id"]
    assert page.mix(mixer) == {"hair": {"say": "red", "strength": 0.9}}
    page.run()
    assert page.row("hair").locator(".supsae-now").inner_text() == "blond → red"
    page.page.locator("img[src*='ComfyUI_temp']:visible").first.wait_for()
    page.load({"nodes": [], "links": [], "version": 0.4, "last_node_id": 0, "last_link_id": 0})  # a graph again


def test_no_two_of_them_share_the_number_of_a_node_or_a_link():
    """The frontend keeps pictures and progress by the number: another tab's would appear below these nodes."""
    graphs = [load(name) for name in TEMPLATES] + [load(BLUEPRINT, "subgraphs")]
    graphs += [one for graph in graphs for one in graph.get("definitions", {}).get("subgraphs", [])]
    numbers = [node["id"] for graph in graphs for node in graph["nodes"]]
    wires = [link.number for graph in graphs for link in workflows.links(graph)]
    assert len(numbers) > 140 and len(set(numbers)) == len(numbers)
    assert len(wires) > 140 and len(set(wires)) == len(wires)
    assert len({load(name)["id"] for name in TEMPLATES}) == len(TEMPLATES)


@pytest.mark.parametrize("name", TEMPLATES)
def test_template_is_offered_with_a_picture_and_a_note(comfy_server, info, name):
    assert name in comfy_server.get("/api/workflow_templates")["ComfyUI-SupSAE"]
    file = ROOT / "example_workflows" / f"{name}.jpg"
    with Image.open(file) as picture:
        assert picture.format == "JPEG" and min(picture.size) >= 384
    assert file.stat().st_size <= THUMBNAIL
    assert not set(name) & set('<>:"/\\|?*')  # Windows has no such file names
    graphs = [load(name), *load(name).get("definitions", {}).get("subgraphs", [])]
    assert [slot for graph in graphs for slot in workflows.strange_slots(graph, info)] == []
    (note,) = [node["widgets_values"][0] for node in load(name)["nodes"] if node["type"] == "MarkdownNote"]
    assert note.startswith("# ") and "\n## Try\n" in note
    assert set(re.findall(r"(?:template|workflow) \*(.+?)\*", note)) <= set(TEMPLATES)


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_page_reads_a_template_as_we_do(comfy_page, info, name):
    found = comfy_page()
    found.load(load(name))
    sent = found.page.evaluate("async () => (await window.app.graphToPrompt()).output")
    ours = workflows.to_api(load(name), info)
    assert {number: (one["class_type"], one["inputs"]) for number, one in sent.items()} == {
        number: (one["class_type"], one["inputs"]) for number, one in ours.items()
    }


# --- each tells its story ------------------------------------------------------------------------------------------


def test_edit_a_portrait(ran):
    made = ran("Edit a portrait")
    (prompt,) = made.mixer()["prompts"]
    assert prompt["before"] == {name: [value] for name, value in PORTRAIT.items()}
    assert prompt["after"] == prompt["before"] | {"hair": ["red"]}
    assert "Changed in the picture: hair blond → red.\nSame: background beach" in made.text("Before and after")
    before, after = map(read, made.compared())
    assert before == PORTRAIT and after == PORTRAIT | {"hair": "red"}


def test_mix_ten_concepts(ran):
    made, workflow = ran("Mix ten concepts"), load("Mix ten concepts")
    before, after = map(read, made.compared())
    rows = parse_mix(of_type(workflow, "SupSAE_ConceptMixer")["widgets_values"][0]).rows
    assert after == {name: row.concept for name, row in rows.items() if isinstance(row, SayRow)}
    (prompt,) = made.mixer()["prompts"]
    changed = [name for name, said in prompt["before"].items() if said]
    assert len(changed) == 2 and not any(before[name] == after[name] for name in changed)
    assert len(rows) == 8 == len(prompt["verdicts"])  # ten concepts: two go, and eight come
    assert {one["verdict"] for one in prompt["verdicts"].values()} == {"took"}


def test_learn_your_own_dictionary(comfy_server, ran):
    made = ran("Learn your own dictionary")
    report = made.report()
    assert "10 concepts in 3 categories" in report and "learnt from 300 prompts" in report
    assert "Poorly learnt" in report and "Everything is identified" in report
    before, after = map(read, made.compared())
    assert (before["hair"], before["hat"], before["expression"]) == ("blond", "none", "smile")
    assert (after["hair"], after["hat"], after["expression"]) == ("red", "crown", "surprised")
    names = comfy_server.object_info("SupSAE_LoadDictionary")["input"]["required"]["name"][1]["options"]
    assert "hair-hat-expression.safetensors" in names  # after its words


def test_check_your_model(ran):
    made = ran("Check your model")
    lines = made.report().splitlines()
    assert {line[0] for line in lines[:15]} == {"✓"}  # fifteen checks, of which none fails and none is left out
    assert lines[15].startswith("Saved in output/supsae/check-portraits")
    assert re.fullmatch(r"Edits make \d\d% of a rewrite's change on this model: sliders should work\.", lines[-1])
    (sheet,) = made.pictures("Sheet")
    assert sheet.shape[1] == 1000 and sheet[:200].std() > 10 and sheet[-400:].std() > 10  # lines above, pictures below


def test_animate_a_slider(ran):
    frames = ran("Animate a slider").frames("Animation")
    assert len(frames) == 24
    first, last = read(frames[0]), read(frames[-1])
    assert (first["hair"], last) == ("blond", first | {"hair": "blue"})


def test_one_of_two_people(ran):
    made = ran("One of two people")
    before, after = (read_both(one) for one in made.compared())
    # the row reddens both in the words, and the right one alone in the picture
    assert made.mixer()["prompts"][0]["after"]["hair"] == ["red", "red"]
    assert {key: value for key, value in after.items() if before[key] != value} == {"right hair": "red"}


def test_keep_the_rest(ran):
    made = ran("Keep the rest")
    (before, after), (mask,) = made.compared(), made.pictures("Mask")
    assert read(before)["hair"] == "blond" and read(after) == read(before) | {"hair": "red"}
    changed = np.asarray(Image.fromarray(mask[..., 0]).resize((16, 16), Image.Resampling.BOX)) > 0
    assert 0 < changed.mean() < 0.9
    # seven cells wide: beyond the decoder's reach, and the enlargement's
    grown = np.lib.stride_tricks.sliding_window_view(np.pad(changed, 3), (7, 7)).any((2, 3))
    far = ~np.kron(grown, np.ones((32, 32), bool))  # cells of 8 pixels, enlarged four times
    assert far.any() and (before[far] == after[far]).all()


def test_steer_inside_the_model(ran):
    before, after = map(read, ran("Steer inside the model").compared())
    assert before == PORTRAIT and after == PORTRAIT | {"hair": "red"}


SHOWN = {
    "Sweep a strength": ["From nothing to more than the word"],
    "Where does it act": ["SupSAE_ConceptMap", "SupSAE_BlockMap", "From block to block"],
}
TOLD = {
    "Sweep a strength": {"SupSAE_ReadPrompt": "hair: blond", "SupSAE_StrengthSweep": "hair: red"},
    "Where does it act": {"SupSAE_ConceptMap": "hair: blond", "SupSAE_BlockMap": "block"},
}


@pytest.mark.parametrize("name", SHOWN)
def test_templates_that_show(ran, name):
    for title, picture in zip(SHOWN[name], ran(name).pictures(*SHOWN[name]), strict=True):
        assert picture.std() > 10, f"{title} is blank"
    assert all(words in ran(name).told(title) for title, words in TOLD[name].items())


def test_judge_a_dictionary_starts_and_is_stopped(comfy_server, info):
    """All its pictures take minutes; scripts/evaluate_run.py draws few to the end."""
    with pytest.raises(RuntimeError, match="interrupted at SupSAE_EvaluateDictionary"):
        comfy_server.interrupt_once(
            workflows.to_api(load("Judge a dictionary"), info),
            lambda: "SupSAE: The run draws" in comfy_server.log.read_text(errors="replace"),
        )


# --- SD3.5, whose weights are not here ------------------------------------------------------------------------------


def test_sd35_lacks_its_checkpoint_alone(comfy_server, info):
    with pytest.raises(RuntimeError) as refused:
        comfy_server.queue(workflows.to_api(load(SD35), info))
    _, *errors = str(refused.value).splitlines()
    assert len(errors) == 1 and "ckpt_name" in errors[0]


def test_sd35_speaks_of_what_its_nodes_hold():
    workflow = load(SD35)
    note, table = of_type(workflow, "MarkdownNote")["widgets_values"][0], of_type(workflow, "SupSAE_ConceptTable")
    table = parse_table(table["widgets_values"][0])
    rows = parse_mix(of_type(workflow, "SupSAE_ConceptMixer")["widgets_values"][0]).rows
    assert {f"{name}: {row.concept}" for name, row in rows.items()} <= {str(concept) for concept in table.concepts}
    prompt = next(node for node in workflow["nodes"] if node.get("title") == "Prompt")["widgets_values"][0]
    said = {concept.category for concept in table.concepts if any(phrase in prompt for phrase in concept.phrases)}
    assert set(rows) <= said  # each row changes something that the prompt says
    assert f"Learns {len(table)} everyday concepts" in note
    _, prompts, calibration, *_ = of_type(workflow, "SupSAE_Capture")["widgets_values"]
    assert f"encodes {prompts + 2 * calibration} prompts" in note  # a prompt for calibration has a rewritten copy
    loader = of_type(workflow, "CheckpointLoaderSimple")
    (file,) = loader["properties"]["models"]  # what ComfyUI offers to download
    assert file["name"] == loader["widgets_values"][0] and file["name"] in note and file["url"].endswith(file["name"])
    assert f"`models/{file['directory']}`" in note
    (measured,) = json.loads((ROOT / "benchmarks/results/sd35_sizes.json").read_text(encoding="utf-8")).values()
    share, memory = measured["apply"]["cond, pooled"]["share"], measured["apply_memory"]
    assert f"adds {share:.2%} to the time of a step and {memory:.2%} to the memory".replace("%", " %") in note


# --- the blueprint --------------------------------------------------------------------------------------------------


def test_blueprint_is_offered_and_whole(comfy_server, info):
    offered, blueprint = comfy_server.get("/api/global_subgraphs"), load(BLUEPRINT, "subgraphs")
    (key,) = [key for key, one in offered.items() if one["info"]["node_pack"] == "custom_nodes.ComfyUI-SupSAE"]
    assert offered[key]["name"] == BLUEPRINT
    assert json.loads(comfy_server.get(f"/api/global_subgraphs/{key}")["data"]) == blueprint
    (inside,), (outside,) = blueprint["definitions"]["subgraphs"], blueprint["nodes"]
    assert workflows.strange_slots(inside, info) == [] and outside["type"] == inside["id"]
    wires = {link.number: link for link in workflows.links(inside)}
    for side, end in (("inputs", 1), ("outputs", 3)):  # where a link has its origin and its target
        ends = [(one["name"], one["type"]) for one in inside[side]]
        assert [(one["name"], one["type"]) for one in outside[side]] == ends
        for slot, one in enumerate(inside[side]):
            (link,) = (wires[number] for number in one["linkIds"])
            assert (*link[end : end + 2], link.type) == (-10 if end == 1 else -20, slot, one["type"])
    promoted = [one["name"] for one in outside["inputs"] if "widget" in one]
    assert promoted == ["name", "mix"] and len(outside["widgets_values"]) == len(promoted)
    # The frontend renumbers nodes when it puts a blueprint in, but not the numbers in this list, and gives up on it.
    assert "proxyWidgets" not in outside["properties"]


def test_blueprint_edits(comfy_server, info):
    (inside,) = load(BLUEPRINT, "subgraphs")["definitions"]["subgraphs"]
    prompt, number = workflows.to_api(inside, info), str(of_type(inside, "SupSAE_ConceptMixer")["id"])
    prompt |= {
        "clip": {"class_type": "SupSAE_LoadPortraitsCLIP", "inputs": {}},
        "text": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["clip", 0], "text": "blond hair, green eyes"}},
        "report": {"class_type": "PreviewAny", "inputs": {"source": [number, 2]}},
    }
    row = '{"version": 1, "mix": {"hair": {"say": "red"}}}'
    prompt[number]["inputs"] |= {"conditioning": ["text", 0], "mix": row}
    assert "changed hair: blond to hair: red (strength 1)" in comfy_server.run(prompt)["report"]["text"][0]
