"""The panels around learning, in a real browser: table, capture, reports, upload, and the picker of Concept Edit."""

import re

import pytest
from page import RENDERERS

BUILD = """() => {
    const app = window.app, graph = app.graph, made = {};
    const add = (name, type, x, y) => {
        const node = made[name] = LiteGraph.createNode(type);
        node.pos = [x, y];
        graph.add(node);
    };
    const wire = (from, output, to, input) => made[from].connect(
        made[from].outputs.findIndex((one) => one.name === output), made[to],
        made[to].inputs.findIndex((one) => one.name === input));
    add("table", "SupSAE_ConceptTable", 0, 0);
    add("clip", "SupSAE_LoadPortraitsCLIP", 0, 600);
    add("capture", "SupSAE_Capture", 460, 0);
    add("fit", "SupSAE_FitDictionary", 860, 0);
    add("loader", "SupSAE_LoadDictionary", 460, 600);
    made.loader.widgets[0].value = "portraits.safetensors"; // other tests may have saved files that come first
    add("edit", "SupSAE_ConceptEdit", 0, 800);
    add("second", "SupSAE_ConceptEdit", 320, 1000);
    add("apply", "SupSAE_ApplyEdits", 860, 800);
    wire("table", "table", "capture", "table");
    wire("clip", "CLIP", "capture", "clip");
    wire("capture", "capture", "fit", "capture");
    wire("loader", "dictionary", "apply", "dictionary");
    wire("edit", "edits", "second", "edits");
    wire("second", "edits", "apply", "edits");
    made.apply.mode = 2;  // not run
    const tracker = app.extensionManager.workflow.activeWorkflow.changeTracker;
    (tracker.captureCanvasState ?? tracker.checkState).call(tracker);
    return Object.fromEntries(Object.entries(made).map(([name, node]) => [name, node.id]));
}"""
EMPTY = {"last_node_id": 0, "last_link_id": 0, "nodes": [], "links": [], "groups": [], "config": {}, "version": 0.4}
SMALL = "hair: [red hair, blond hair]\nhat: [no hat, golden crown]\n"


class Studio:
    """A page with the nodes of `BUILD`."""

    def __init__(self, page):
        self.on, self.page = page, page.page
        page.load(EMPTY)
        self.ids = self.page.evaluate(BUILD)

    def show(self, name):
        self.on.show(self.ids[name])

    def value(self, name, widget):
        return self.on.value(self.ids[name], widget)

    def set(self, node, /, **values):
        self.does(
            """for (const [name, value] of Object.entries(given)) {
                const widget = node.widgets.find((one) => one.name === name);
                widget.value = value;
                widget.callback?.(value); }""",
            node,
            values,
        )

    def does(self, script, name, given=None):
        """Run JavaScript that knows the graph, a node, and what is given."""
        start = "([id, given]) => { const graph = window.app.graph, node = graph.getNodeById(id);"
        return self.page.evaluate(f"{start} {script} }}", [self.ids[name], given])

    def until_widget(self, name, condition):
        """Wait for something of a node's `widgets`."""
        script = f"([id]) => {{ const widgets = app.graph.getNodeById(id).widgets; return {condition}; }}"
        self.page.wait_for_function(script, arg=[self.ids[name]])

    @property
    def text(self):
        return self.page.locator("textarea:not(.supsae-paste):visible").first

    def said(self, text):
        """Wait until the table's panel says something."""
        self.page.locator(".supsae-table .supsae-said").filter(has_text=text).wait_for()

    def button(self, name):
        return self.page.get_by_role("button", name=name)


@pytest.fixture(params=RENDERERS)
def studio(request, comfy_page):
    return Studio(comfy_page(**{"Comfy.VueNodes.Enabled": RENDERERS[request.param]}))


# --- Concept Table -------------------------------------------------------------------------------------------------


def test_the_table_says_what_is_wrong_and_takes_a_pasted_list(studio):
    studio.show("table")
    studio.said("28 concepts")
    text = "hair: [red hair, blond hair]\n\nhat: [no hat, red hair]\n"
    studio.text.fill(text)
    studio.said("'red hair' belongs to")
    studio.button("Line 3, column 15").click()
    at = studio.text.evaluate("area => [document.activeElement === area, area.selectionStart]")
    assert at == [True, text.rindex("red hair")]
    studio.text.fill(SMALL)
    studio.said("4 concepts, 4 phrases · 9 different prompts")  # (1 + 2) · (1 + 2)
    studio.button("Paste a list").click()
    studio.button("Add to the table").click()
    studio.page.get_by_role("alert").filter(has_text="nothing in this list").wait_for()
    studio.page.keyboard.insert_text("eyes:\n- green eyes\n- blue eyes, sky blue eyes")  # it has the focus
    studio.button("Add to the table").click()
    studio.said("6 concepts, 7 phrases")
    made = SMALL + "eyes:\n  green eyes: [green eyes]\n  blue eyes: [blue eyes, sky blue eyes]\n"
    assert studio.value("table", "text") == made
    studio.on.command("Comfy.Undo")
    assert studio.value("table", "text") == SMALL
    studio.said("4 concepts")
    studio.button("Paste a list").click()
    studio.page.keyboard.insert_text("freckles\ntall crown")
    studio.button("Add to the table").click()
    studio.page.get_by_text("2 of these stand under no heading").wait_for()
    studio.button("Yes: sort them").click()
    studio.said("4 categories, 8 concepts")
    assert "none: [no freckles]" in studio.value("table", "text")
    studio.button("Paste a list").click()
    studio.page.locator(".supsae-paste").press("Escape")
    assert not studio.page.locator(".supsae-form").is_visible()
    studio.set("table", file="hair.yaml")
    studio.page.get_by_text("The file hair.yaml is read instead of this text.").wait_for()


def test_words_alone_are_sorted_and_the_panel_says_how(studio):
    studio.show("table")
    studio.text.fill("auburn hair, azure hair, a crown")
    studio.said("2 categories, 4 concepts")  # two colours; a crown, or none
    studio.said("hair: auburn hair, azure hair; a crown: a crown, none")
    studio.button("Paste a list").click()
    studio.page.keyboard.insert_text("eyes: jade eyes, hazel eyes")
    studio.button("Add to the table").click()
    studio.said("3 categories, 6 concepts")
    assert studio.value("table", "text").startswith("hair:\n  auburn hair: [auburn hair]")


def test_phrases_are_held_against_the_tokenizer_behind_the_capture(studio):
    studio.show("table")
    studio.text.fill("hair: [red hair, purple hair]\nhat: [no hat, 帽子]\n")
    listed = studio.page.locator(".supsae-spelling li")
    listed.first.wait_for()
    assert "Portraits: it was never taught 'purple'" in listed.nth(0).inner_text()
    assert "帽子" in listed.nth(1).inner_text() and listed.count() == 2
    studio.does(
        """const loader = LiteGraph.createNode("TripleCLIPLoader"); graph.add(loader);
        loader.connect(0, node, node.inputs.findIndex((one) => one.name === "clip"));""",
        "capture",
    )
    studio.set("table", text=studio.value("table", "text") + "# sd3\n")
    studio.page.wait_for_function("document.querySelectorAll('.supsae-spelling li').length === 1")
    assert "T5: it has no token for '帽子'" in listed.nth(0).inner_text()
    for kind, count in (("lumina2", 0), ("chroma", 1)):  # a language model spells every byte, T5 does not
        studio.does(
            f"""const loader = LiteGraph.createNode("CLIPLoader"); graph.add(loader);
            loader.widgets.find((one) => one.name === "type").value = "{kind}";
            loader.connect(0, node, node.inputs.findIndex((one) => one.name === "clip"));""",
            "capture",
        )
        studio.set("table", text=studio.value("table", "text") + f"# {kind}\n")
        listed_now = f"document.querySelectorAll('.supsae-spelling li').length === {count}"
        studio.page.wait_for_function(listed_now)


# --- Concept Edit --------------------------------------------------------------------------------------------------


def test_the_concept_is_picked_where_the_dictionary_is_known_and_typed_where_not(studio):
    for name in ("edit", "second"):  # the first reaches the dictionary through the second
        studio.until_widget(name, "widgets[1].type === 'combo'")
    options = studio.does("return node.widgets[1].options.values", "edit")
    assert "hair: red" in options and "hat: top hat" in options and len(options) == 28
    studio.set("edit", concept="eyes: green")
    studio.on.command("Comfy.Undo")  # one step
    assert studio.value("edit", "concept") == "hair: red"
    studio.set("second", concept="hair: teal")  # a name that the dictionary lacks
    studio.on.load(studio.on.workflow())
    studio.until_widget("second", "widgets[1].type === 'combo'")
    assert studio.value("second", "concept") == "hair: teal"
    label = "const w = node.widgets[1]; return w.options.getOptionLabel(w.value);"
    assert studio.does(label, "second") == "hair: teal (missing)"
    studio.does("node.disconnectOutput(0)", "second")
    studio.until_widget("second", "widgets[1].type === 'text'")
    (saved,) = [one for one in studio.on.workflow()["nodes"] if str(one["id"]) == str(studio.ids["second"])]
    assert saved["widgets_values"] == ["swap", "hair: teal", 1, 0]


# --- Load Dictionary, Capture and Fit --------------------------------------------------------------------------------


@pytest.mark.every_frontend
def test_a_report_stands_in_its_node(studio):
    said = "hair: blond to hair: red\n<b>as it is</b>"
    studio.page.evaluate(
        "([id, said]) => window.app.graph.getNodeById(id).onExecuted({supsae_told: [said]})",
        [studio.ids["apply"], said],
    )
    studio.show("apply")
    shown = studio.page.locator(".supsae-told-text:visible")
    assert shown.first.inner_text() == said


def test_the_loader_says_what_a_file_knows_and_takes_another(studio, comfy_server, tmp_path):
    studio.show("loader")
    panel = studio.page.locator(".supsae").filter(has=studio.button("Upload a dictionary"))
    panel.get_by_text("28 concepts: background, hair").wait_for()
    junk, good = tmp_path / "junk.safetensors", tmp_path / "good one.safetensors"
    junk.write_bytes(b"words that are no safetensors file")
    shipped = "custom_nodes/ComfyUI-SupSAE/portraits/weights/supsae/portraits.safetensors"
    good.write_bytes((comfy_server.base / shipped).read_bytes())
    studio.on.expected.append("supsae/upload")  # the browser itself reports what is refused
    panel.locator("input[type=file]").set_input_files(junk)
    panel.get_by_text("'junk.safetensors' is not a SupSAE dictionary").wait_for()
    assert studio.value("loader", "name") == "portraits.safetensors"
    panel.locator("input[type=file]").set_input_files(good)
    studio.until_widget("loader", "widgets[0].value.startsWith('good_one')")
    panel.get_by_text("28 concepts: background, hair").wait_for()


@pytest.mark.parametrize("studio", ["vue"], indirect=True)
def test_a_capture_is_followed_and_its_fit_is_judged(studio):
    studio.set("table", text=SMALL)
    studio.set("capture", name="followed", prompts=100, calibration=8)
    studio.set("fit", **{"save.name": "followed"})
    studio.show("capture")
    studio.page.get_by_text("Nothing is captured under this name yet.").wait_for()
    studio.does(
        """window.heard = []; window.hearing = new AbortController();
        (window.app.api ?? window.comfyAPI.api.api).addEventListener(
            "supsae.capture", (event) => window.heard.push(event.detail), { signal: window.hearing.signal });""",
        "capture",
    )
    studio.on.run()
    heard = studio.page.evaluate("() => { window.hearing.abort(); return window.heard; }")
    assert heard and all(one["total"] == 116 and one["done"] <= 116 for one in heard)  # 100, and 8 with rewrites
    assert len(heard[0]["preview"]) == 3 and all(one["all_bytes"] >= one["bytes"] for one in heard)
    finished = studio.page.get_by_text("in output/supsae/captures/followed").filter(has_text="Finished: 116 prompts")
    finished.wait_for()
    studio.show("fit")
    judged = re.compile("(all|of) 4 concepts|found again in fresh prompts|of 8 edits")  # 8 calibration prompts say any
    report = studio.page.locator(".supsae-report").filter(has_text=judged)  # the loader has one of its own
    report.wait_for()
    assert report.locator("table").count() >= 3
    file = studio.page.locator(".supsae-upload").filter(has_text="Saved as followed.safetensors")
    with studio.page.expect_download() as saved:
        file.get_by_role("button", name="Download").click()
    assert saved.value.suggested_filename == "followed.safetensors"
    report.get_by_text("The whole report as text").focus()
    studio.page.keyboard.press("Enter")
    assert "4 concepts in 2 categories" in report.locator("pre").inner_text()
    studio.on.load(studio.on.workflow())
    studio.show("capture")
    finished.wait_for()  # the folder is asked
