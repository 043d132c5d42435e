"""A mixer on several prompts: what a list of them makes in a real server, and what its panel says of each."""

import json

import pytest
from api_workflows import CLIP, DICTIONARY, shown
from page import RENDERERS

PROMPTS = ("a person with golden hair, brown eyes", "a person in a royal crown, frowning", "ginger hair, a dark suit")
ROWS = {"hair": {"say": "red", "strength": 1}, "hat": {"say": None, "strength": 1}}


def listing(rows):
    """Return a workflow that runs a mixer on a list of prompts."""
    texts = {
        f"text{i}": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["clip", 0], "text": one}}
        for i, one in enumerate(PROMPTS)
    }
    inputs = {f"inputs.input{i}": [f"text{i}", 0] for i in range(len(PROMPTS))}
    mix = json.dumps({"version": 1, "mix": rows})
    mixer = {"dictionary": ["dictionary", 0], "mix": mix, "conditioning": ["list", 0]}
    return {
        "clip": CLIP, "dictionary": DICTIONARY, **texts, "list": {"class_type": "CreateList", "inputs": inputs},
        "mixer": {"class_type": "SupSAE_ConceptMixer", "inputs": mixer}, "shown": shown("mixer", 2),
    }  # fmt: skip


@pytest.mark.parametrize("vue", RENDERERS.values(), ids=RENDERERS)
def test_a_list_is_told_prompt_by_prompt(open_mixer, comfy_server, vue):
    outputs = comfy_server.run(listing(ROWS))
    panels = outputs["mixer"]["supsae_mixer"]
    assert [one["prompts"][0]["before"]["hair"] for one in panels] == [["blond"], [], ["red"]]
    assert len(outputs["shown"]["text"]) == 3
    mixer = open_mixer(ROWS, vue)
    mixer.does("graph.getNodeById(4).onExecuted(given[0])", outputs["mixer"])
    assert mixer.now() == "blond → red | unmentioned → red | red"
    assert mixer.now("hat") == "unmentioned | crown → unmentioned"
    line = mixer.row("hair").locator(".supsae-reason")
    assert mixer.verdict().startswith("hair: Took")
    assert line.inner_text() == "Took in 2 of 3 prompts; 3/3: Nothing to change"
    line = mixer.row("hat").locator(".supsae-reason")
    assert line.inner_text() == "Took in 1 of 3 prompts; 1/3: Nothing to change; 3/3: Nothing to change"


def test_a_row_that_is_left_out_of_one_prompt_is_told_of_that_one(open_mixer):
    def panel(left_out, verdicts):
        prompt = {"title": "", "before": {"hair": ["blond"]}, "after": {"hair": []}, "held": {}, "verdicts": verdicts}
        return {"categories": [], "safe": [0, 1], "mix": ROWS, "left_out": left_out, "prompts": [prompt]}

    reasons = {"hair": "Occurrence 2 of 'hair: red' does not exist"}, {"hair": {"verdict": "took", "reason": ""}}
    mixer = open_mixer(ROWS)
    told = [panel({}, reasons[1]), panel(reasons[0], {})]
    told = [{**one, "categories": [{"name": "hair", "identified": True, "concepts": []}]} for one in told]
    mixer.does("graph.getNodeById(4).onExecuted(given[0])", {"supsae_mixer": told})
    line = mixer.row("hair").locator(".supsae-reason")
    assert mixer.verdict() == "hair: Left out"
    assert line.inner_text() == f"Took in 1 of 2 prompts; 2/2: Left out: {reasons[0]['hair']}"


def test_a_batch_is_told_row_by_row(open_mixer):
    verdicts = [
        {"verdict": "took", "reason": ""},
        {"verdict": "did not take", "reason": "too weak"},
        {"verdict": "nothing to change", "reason": "the prompt says hair: red"},
    ]
    prompts = [
        {"title": f"part 1, row {i + 1}", "before": {"hair": ["blond"]}, "after": {"hair": ["red"]}, "held": {},
         "verdicts": {"hair": one}}
        for i, one in enumerate(verdicts)
    ]  # fmt: skip
    known = [{"name": "hair", "identified": True, "concepts": [{"name": "red", "says": "red hair", "warning": ""}]}]
    mixer = open_mixer(ROWS)
    told = {"categories": known, "safe": [0, 1], "mix": ROWS, "left_out": {}, "prompts": prompts}
    mixer.does("graph.getNodeById(4).onExecuted(given[0])", {"supsae_mixer": [told]})
    assert mixer.verdict() == "hair: Did not take" and mixer.now() == "blond → red"
    line = "Took in 1 of 3 prompts; part 1, row 2: Did not take: too weak; part 1, row 3: Nothing to change: the prompt"
    assert mixer.row("hair").locator(".supsae-reason").inner_text() == f"{line} says hair: red"


def test_reports_of_a_list_stand_below_one_another(comfy_page):
    page = comfy_page()
    page.load({"last_node_id": 0, "last_link_id": 0, "version": 0.4, "nodes": [], "links": []})
    page.page.evaluate(
        """() => { const { graph } = window.app, node = LiteGraph.createNode("SupSAE_ApplyEdits");
        graph.add(node); node.onExecuted({supsae_told: ["found hair: red", "found hair: blue"]}); }"""
    )
    page.frames()
    text = page.page.locator(".supsae-told-text").inner_text()
    assert text.split("\n") == ["1/2", "found hair: red", "", "2/2", "found hair: blue"]


def test_the_eye_looks_at_every_picture_of_a_batch(open_mixer):
    """The first picture shows what was asked, the second does not: that is what is told, and which one it is."""
    known = [{"name": "hair", "identified": True, "concepts": [{"name": "red", "says": "red hair", "warning": ""}]}]
    rows = {"hair": {"say": "red", "strength": 1}}
    mixer = open_mixer(rows)
    prompt = {"title": "", "before": {"hair": ["blond"]}, "after": {"hair": ["red"]}, "held": {}, "verdicts": {}}
    told = {"categories": known, "safe": [0, 1], "mix": rows, "left_out": {}, "prompts": [prompt]}
    seen = [
        [{"category": "hair", "before": "blond", "after": one, "values": ["red", "blond"]}] for one in ("red", "blond")
    ]
    compared = {"version": 1, "changed": 0.5, "seen": seen[0], "pictures": seen}
    mixer.does(
        """graph.getNodeById(4).onExecuted(given[0]);
        const node = LiteGraph.createNode("SupSAE_ComparePictures"); graph.add(node);
        const file = {filename: "x", subfolder: "", type: "temp"};
        node.onExecuted({supsae_compared: [given[1]], images: [file, file]});""",
        {"supsae_mixer": [told]}, compared,
    )  # fmt: skip
    mixer.on.expected.append("404")
    eye = mixer.row("hair").locator(".supsae-picture")
    assert eye.get_attribute("title").startswith("2/2: ") and "pi-eye-slash" in eye.get_attribute("class")
