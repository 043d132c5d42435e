"""Templates in the page speak the frontend's language, and English again where that is English."""

import json
from pathlib import Path

import pytest
from page import RENDERERS

ROOT = Path(__file__).resolve().parents[3]
NAME = "Edit a portrait"
LANGUAGES = dict(zip(("ja", "zh"), RENDERERS, strict=True))
"""Language → the renderer that it is tried in: a page of each takes seconds to open, and neither knows the other."""
SEEN = """() => {
    const graph = window.app.graph, note = graph.nodes.find((one) => one.type === "MarkdownNote");
    const outputs = graph.nodes.filter((one) => one.subgraph).flatMap((one) => one.outputs);
    return {
        note: note.widgets[0].value,
        shown: document.body.innerText,
        titles: graph.nodes.map((one) => one.title),
        groups: graph.groups.map((one) => one.title),
        boxes: [...graph.subgraphs.values()].map((one) => one.name),
        slots: outputs.map((one) => one.label ?? one.name),
        modified: window.app.extensionManager.workflow.activeWorkflow.isModified,
    };
}"""

SAVED = "() => JSON.stringify(window.app.graph.serialize())"
"""As the frontend writes it: handed over as an object, what is undefined would come as null."""
SENT = """async () => {
    const sent = Object.entries((await window.app.graphToPrompt()).output);
    return Object.fromEntries(sent.map(([id, { class_type, inputs }]) => [id, JSON.stringify([class_type, inputs])]));
}"""


def template() -> dict:
    return json.loads((ROOT / "example_workflows" / f"{NAME}.json").read_text(encoding="utf-8"))


def english() -> dict:
    """Return what is seen of the template where nothing is translated."""
    file = template()
    (note,) = [one["widgets_values"][0] for one in file["nodes"] if one["type"] == "MarkdownNote"]
    groups, boxes = [one["title"] for one in file["groups"]], file["definitions"]["subgraphs"]
    slots = [slot["name"] for box in boxes for slot in box["outputs"]]
    return {"note": note, "groups": groups, "boxes": [one["name"] for one in boxes], "slots": slots}


def in_language(language: str) -> dict:
    """Return the same as the table has it."""
    main = json.loads((ROOT / "locales" / language / "main.json").read_text(encoding="utf-8"))
    table, file = main["supsae_templates"], english()
    lines = [table[line] if line else line for line in file["note"].split("\n")]
    slots = [table.get(f"slot|{one}", one) for one in file["slots"]]
    named = {key: [table[one] for one in file[key]] for key in ("groups", "boxes")}
    return {"note": "\n".join(lines), "slots": slots, **named}


def seen(found) -> dict:
    found.page.get_by_role("group", name="hair", exact=True).wait_for()
    return found.page.evaluate(SEEN)


@pytest.fixture
def open_page(comfy_page):
    """Return `open(language, vue)`: a page in a language."""

    def one(language, vue=False):
        return comfy_page(**{"Comfy.Locale": language, "Comfy.VueNodes.Enabled": vue})

    return one


@pytest.mark.every_frontend
@pytest.mark.parametrize(("language", "renderer"), LANGUAGES.items())
def test_a_template_is_opened_in_the_frontends_language(open_page, language, renderer):
    found = open_page(language, RENDERERS[renderer])
    found.load(template())
    now, wanted = seen(found), in_language(language)
    assert {key: now[key] for key in wanted} == wanted
    assert set(wanted["boxes"]) <= set(now["titles"]) and not now["modified"]
    heading = wanted["note"].partition("\n")[0].removeprefix("# ")
    assert heading in now["shown"] and NAME not in now["shown"]


@pytest.mark.every_frontend
def test_a_saved_one_speaks_english_in_an_english_page(open_page):
    chinese = open_page("zh", RENDERERS[LANGUAGES["zh"]])
    chinese.load(template())
    seen(chinese)
    sent = chinese.page.evaluate(SENT)
    saved = json.loads(chinese.page.evaluate(SAVED))
    found = open_page("en")
    found.load(saved)
    now, wanted = seen(found), english()
    assert {key: now[key] for key in wanted} == wanted
    assert len(sent) > 8 and found.page.evaluate(SENT) == sent  # what runs is the same


def test_undo_keeps_the_language(open_page):
    """Undo opens the workflow anew."""
    found = open_page("ja")
    found.load(template())
    seen(found)
    found.page.evaluate("() => { window.app.graph.groups[0].title = 'Mine'; }")
    found.changed()
    found.command("Comfy.Undo")
    wanted = in_language("ja")
    found.page.wait_for_function("(title) => window.app.graph.groups[0].title === title", arg=wanted["groups"][0])
    now = seen(found)
    assert {key: now[key] for key in wanted} == wanted
