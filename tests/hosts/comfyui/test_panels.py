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

    def set(self, name, widget, value):
        self.page.evaluate(
            """([id, name, value]) => {
                const widget = app.graph.getNodeById(id).widgets.find((one) => one.name === name);
                widget.value = value;
                widget.callback?.(value); }""",
            [self.ids[name], widget, value],
        )

    def kind(self, name, widget="concept"):
        script = "([id, name]) => app.graph.getNodeById(id).widgets.find((one) => one.name === name).type"
        return self.page.evaluate(script, [self.ids[name], widget])

    def until(self, script, *values):
        self.page.wait_for_function(script, arg=list(values), timeout=15_000)

    def command(self, name):
        self.page.evaluate("async (name) => await app.extensionManager.command.execute(name)", name)
        self.on.frames()

    @property
    def text(self):
        return self.page.locator("textarea:not(.supsae-paste):visible").first

    def said(self, text):
        """Wait until the table's panel says something."""
        found = self.page.locator(".supsae-table .supsae-said").filter(has_text=text)
        found.wait_for()
        return found


@pytest.fixture(params=RENDERERS)
def studio(request, comfy_page):
    return Studio(comfy_page(**{"Comfy.VueNodes.Enabled": RENDERERS[request.param]}))


# --- Concept Table -------------------------------------------------------------------------------------------------


@pytest.mark.every_frontend
def test_the_table_says_what_is_wrong_and_where_while_it_is_typed(studio):
    studio.show("table")
    studio.said("28 concepts")
    text = "hair: [red hair, blond hair]\n\nhat: [no hat, red hair]\n"
    studio.text.fill(text)
    studio.said("'red hair' belongs to")
    studio.page.get_by_role("button", name="Line 3, column 15").click()
    at = studio.text.evaluate("area => [document.activeElement === area, area.selectionStart]")
    assert at == [True, text.rindex("red hair")]
    studio.text.fill(SMALL)
    studio.said("4 concepts, 4 phrases · 9 different prompts")  # (1 + 2) · (1 + 2)


def test_phrases_are_held_against_the_tokenizer_behind_the_capture(studio):
    studio.show("table")
    studio.text.fill("hair: [red hair, purple hair]\nhat: [no hat, 帽子]\n")
    listed = studio.page.locator(".supsae-spelling li")
    listed.first.wait_for()
    assert "Portraits: it was never taught 'purple'" in listed.nth(0).inner_text()
    assert "帽子" in listed.nth(1).inner_text() and listed.count() == 2
    studio.page.evaluate(
        """([clip, capture]) => {
            const graph = app.graph, node = LiteGraph.createNode("TripleCLIPLoader"), to = graph.getNodeById(capture);
            graph.add(node);
            node.connect(0, to, to.inputs.findIndex((one) => one.name === "clip")); }""",
        [studio.ids["clip"], studio.ids["capture"]],
    )
    studio.set("table", "text", studio.value("table", "text") + "# sd3\n")
    studio.until("() => document.querySelectorAll('.supsae-spelling li').length === 1")
    assert "T5: it has no token for '帽子'" in listed.nth(0).inner_text()


def test_a_pasted_list_joins_the_table_and_undo_takes_it_out(studio):
    studio.show("table")
    studio.text.fill(SMALL)
    studio.said("4 concepts")
    studio.page.get_by_role("button", name="Paste a list").click()
    studio.page.keyboard.insert_text("eyes:\n- green eyes\n- blue eyes, sky blue eyes")  # it has the focus
    studio.page.get_by_role("button", name="Add to the table").click()
    studio.said("6 concepts, 7 phrases")
    made = SMALL + "eyes:\n  green eyes: [green eyes]\n  blue eyes: [blue eyes, sky blue eyes]\n"
    assert studio.value("table", "text") == made
    studio.command("Comfy.Undo")
    assert studio.value("table", "text") == SMALL
    studio.said("4 concepts")


def test_a_list_with_nothing_in_it_is_refused_and_escape_closes(studio):
    studio.show("table")
    studio.page.get_by_role("button", name="Paste a list").click()
    studio.page.get_by_role("button", name="Add to the table").click()
    studio.page.get_by_role("alert").filter(has_text="nothing in this list").wait_for()
    studio.page.locator(".supsae-paste").press("Escape")
    assert not studio.page.locator(".supsae-form").is_visible()


def test_a_file_is_named_that_is_read_instead(studio):
    studio.show("table")
    studio.set("table", "file", "hair.yaml")
    studio.page.get_by_text("The file hair.yaml is read instead of this text.").wait_for()


# --- Concept Edit --------------------------------------------------------------------------------------------------


def test_the_concept_is_picked_where_the_dictionary_is_known_and_typed_where_not(studio):
    combo = "([id]) => app.graph.getNodeById(id).widgets[1].type === 'combo'"
    for name in ("edit", "second"):  # the first reaches the dictionary through the second
        studio.until(combo, studio.ids[name])
    options = studio.page.evaluate(
        "([id]) => app.graph.getNodeById(id).widgets[1].options.values", [studio.ids["edit"]]
    )
    assert "hair: red" in options and "hat: top hat" in options and len(options) == 28
    studio.set("second", "concept", "hair: teal")  # a name that the dictionary lacks
    studio.on.load(studio.on.workflow())
    studio.until(combo, studio.ids["second"])
    assert studio.value("second", "concept") == "hair: teal"
    label = "([id]) => { const w = app.graph.getNodeById(id).widgets[1]; return w.options.getOptionLabel(w.value); }"
    assert studio.page.evaluate(label, [studio.ids["second"]]) == "hair: teal (missing)"
    studio.page.evaluate("([id]) => app.graph.getNodeById(id).disconnectOutput(0)", [studio.ids["second"]])
    studio.until("([id]) => app.graph.getNodeById(id).widgets[1].type === 'text'", studio.ids["second"])
    assert studio.value("second", "concept") == "hair: teal"
    assert [
        one["widgets_values"] for one in studio.on.workflow()["nodes"] if str(one["id"]) == str(studio.ids["second"])
    ] == [["swap", "hair: teal", 1, 0]]


def test_a_picked_concept_is_one_step_of_undo(studio):
    studio.until("([id]) => app.graph.getNodeById(id).widgets[1].type === 'combo'", studio.ids["edit"])
    studio.set("edit", "concept", "eyes: green")
    studio.command("Comfy.Undo")
    assert studio.value("edit", "concept") == "hair: red"
    studio.command("Comfy.Redo")
    assert studio.value("edit", "concept") == "eyes: green"


# --- Load Dictionary -----------------------------------------------------------------------------------------------


def test_the_loader_says_what_a_file_knows_and_takes_another(studio, comfy_server, tmp_path):
    studio.show("loader")
    panel = studio.page.locator(".supsae").filter(has=studio.page.get_by_role("button", name="Upload a dictionary"))
    panel.get_by_text("28 concepts: background, hair").wait_for()
    junk, good = tmp_path / "junk.safetensors", tmp_path / "good one.safetensors"
    junk.write_bytes(b"words that are no safetensors file")
    good.write_bytes(
        (comfy_server.base / "custom_nodes/ComfyUI-SupSAE/portraits/weights/supsae/portraits.safetensors").read_bytes()
    )
    chooser = panel.locator("input[type=file]")
    studio.on.expected.append("supsae/upload")  # the browser itself reports what is refused
    chooser.set_input_files(junk)
    panel.get_by_text("'junk.safetensors' is not a SupSAE dictionary").wait_for()
    assert studio.value("loader", "name") == "portraits.safetensors"
    chooser.set_input_files(good)
    studio.until("([id]) => app.graph.getNodeById(id).widgets[0].value.startsWith('good_one')", studio.ids["loader"])
    panel.get_by_text("28 concepts: background, hair").wait_for()


# --- Capture and Fit -----------------------------------------------------------------------------------------------


@pytest.mark.every_frontend
def test_a_capture_is_followed_and_its_fit_is_judged(studio, request):
    name = re.sub(r"\W+", "_", request.node.name)
    studio.set("table", "text", SMALL)
    studio.set("capture", "name", name)
    studio.set("capture", "prompts", 100)
    studio.set("capture", "calibration", 8)
    studio.set("fit", "save.name", name)
    studio.show("capture")
    studio.page.get_by_text("Nothing is captured under this name yet.").wait_for()
    studio.page.evaluate(
        """() => { window.heard = []; const api = window.app.api ?? window.comfyAPI.api.api;
            api.addEventListener("supsae.capture", (event) => window.heard.push(event.detail)); }"""
    )
    studio.on.run()
    heard = studio.page.evaluate("window.heard")
    assert heard and all(one["total"] == 116 and one["done"] <= 116 for one in heard)  # 100, and 8 with rewrites
    assert len(heard[0]["preview"]) == 3 and all(one["all_bytes"] >= one["bytes"] for one in heard)
    finished = studio.page.get_by_text(re.compile(f"Finished: 116 prompts, .* in output/supsae/captures/{name}"))
    finished.wait_for()
    studio.show("fit")
    report = studio.page.locator(".supsae-report").filter(has_text="all 4 concepts")  # the loader has one of its own
    report.wait_for()
    assert report.locator("table").count() >= 3
    file = studio.page.locator(".supsae-upload").filter(has_text=f"Saved as {name}.safetensors")
    file.wait_for()
    with studio.page.expect_download() as saved:
        file.get_by_role("button", name="Download").click()
    assert saved.value.suggested_filename == f"{name}.safetensors"
    report.get_by_text("The whole report as text").focus()
    studio.page.keyboard.press("Enter")
    assert "4 concepts in 2 categories" in report.locator("pre").inner_text()
    studio.on.load(studio.on.workflow())
    studio.show("capture")
    finished.wait_for()  # the folder is asked
