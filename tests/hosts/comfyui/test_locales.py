"""Translations against what a real server says of the nodes, and in the page itself."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import workflow as workflows

LOCALES = Path(__file__).resolve().parents[3] / "locales"
LANGUAGES = sorted(path.name for path in LOCALES.iterdir() if path.name != "en")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
TECHNICAL = re.compile(r"[A-Za-z]\w+(?:[_/@.][\w@-]+)+")
"""Names of files and folders, sites such as txt@1-3: what is spelled the same in every language."""


@pytest.fixture(params=LANGUAGES)
def language(request):
    return request.param


@pytest.fixture
def translated(language):
    return json.loads((LOCALES / language / "nodeDefs.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def nodes(comfy_server):
    return {name: node for name, node in comfy_server.object_info().items() if name.startswith("SupSAE_")}


def inputs(node: dict) -> dict[str, dict]:
    """Return the inputs that are drawn, those of choices as well: name as translations have it → options."""
    return {name.replace(".", "_"): options for name, options in workflows.all_inputs(node).items()}


def english_texts(node: dict) -> dict[tuple, str]:
    """Return the texts of a node, keyed as in nodeDefs.json."""
    texts = {("display_name",): node["display_name"], ("description",): node["description"]}
    for name, options in inputs(node).items():
        texts["inputs", name, "tooltip"] = options.get("tooltip", "")
    for index, tooltip in enumerate(node["output_tooltips"]):
        texts["outputs", str(index), "tooltip"] = tooltip
    return texts


def at(tree: dict, path: tuple) -> str:
    for key in path:
        tree = tree[key]
    return tree


def test_exactly_the_servers_nodes_inputs_and_outputs_are_translated(nodes, translated):
    def outline(node):
        return set(node.get("inputs", {})), set(node["outputs"])

    there = {
        name: (set(inputs(node)), {str(index) for index in range(len(node["output"]))}) for name, node in nodes.items()
    }
    assert {name: outline(node) for name, node in translated.items()} == there


def test_numbers_and_names_are_the_english_ones(nodes, translated):
    lost = []
    for name, node in nodes.items():
        for path, text in english_texts(node).items():
            translation = at(translated[name], path)
            lost += [(name, path, one) for one in Counter(NUMBER.findall(text)) - Counter(NUMBER.findall(translation))]
            lost += [(name, path, one) for one in TECHNICAL.findall(text) if one not in translation]
    assert lost == []


def test_what_can_be_chosen_is_named_as_in_the_list(nodes, translated):
    """The list itself stays English, so its tooltip explains each choice under that name."""
    explained = 0
    for name, node in nodes.items():
        for key, options in inputs(node).items():
            for choice in map(workflows.choice_name, options.get("options", [])):
                if f"{choice}:" in options["tooltip"]:
                    explained += 1
                    assert f"{choice}：" in translated[name]["inputs"][key]["tooltip"], (name, key, choice)
    assert explained  # swap, add, remove, scale at least


def test_the_server_hands_them_out(comfy_server, language):
    served = comfy_server.get("/i18n")[language]
    own = json.loads((LOCALES / language / "main.json").read_text(encoding="utf-8"))
    assert {key: served[key] for key in own if key.startswith("supsae")} == {
        key: own[key] for key in ("supsae", "supsae_reports", "supsae_templates")
    }
    assert served["nodeDefs"] == json.loads((LOCALES / language / "nodeDefs.json").read_text(encoding="utf-8"))


# --- in the page ---------------------------------------------------------------------------------------------------

DRAWN = """(kind) => {
    const graph = window.app.graph, node = graph.add(window.LiteGraph.createNode(kind));
    const where = node.widgets.find((one) => one.name === "where"); // which brings all the inputs that there are
    where.value = "chosen sites";
    where.callback?.(where.value);
    graph.add(window.LiteGraph.createNode("SupSAE_ConceptMixer")).pos = [0, 600];
    const named = (slots) => Object.fromEntries(slots.map((s) => [s.name, s.label ?? s.localized_name]));
    const widgets = Object.fromEntries(node.widgets.map((widget) => [widget.name, widget.label]));
    return { title: node.title, inputs: named(node.inputs), outputs: named(node.outputs), widgets };
}"""


TOLD = """(text) => {
    const node = window.app.graph._nodes.find((one) => one.type === "SupSAE_ApplyEdits");
    node.onExecuted({ supsae_told: [text] });
    return [...document.querySelectorAll(".supsae-told-text")].map((one) => one.textContent);
}"""


@pytest.mark.parametrize("language", ["ja"], indirect=True)
def test_a_node_and_a_panel_are_drawn_translated(comfy_page, translated, language):
    found = comfy_page(**{"Comfy.Locale": language})
    found.load({"version": 0.4, "last_node_id": 0, "last_link_id": 0, "nodes": [], "links": []})
    drawn, wanted = found.page.evaluate(DRAWN, "SupSAE_ApplyEdits"), translated["SupSAE_ApplyEdits"]
    names = {name.replace("where_", "where."): slot["name"] for name, slot in wanted["inputs"].items()}
    assert drawn["title"] == wanted["display_name"] and drawn["inputs"] == names
    labels = {name: label for name, label in drawn["widgets"].items() if not name.startswith("supsae_panel")}
    assert labels and labels == {name: names[name] for name in labels}
    outputs = ("conditioning", "model", "report")
    assert drawn["outputs"] == {name: wanted["outputs"][str(i)]["name"] for i, name in enumerate(outputs)}
    messages = json.loads((LOCALES / language / "main.json").read_text(encoding="utf-8"))["supsae"]
    panel = found.page.locator(".supsae").filter(has_text=messages["connectDictionary"])
    panel.wait_for()
    assert panel.get_by_role("button", name=messages["resetAll"]).count() == 1
    told = found.page.evaluate(TOLD, "found hair: blond\nchanged hair: blond to hair: red (strength 1)")
    assert told == ["見つかったもの：hair: blond\nhair: blond を hair: red に変更（強度 1）"]
