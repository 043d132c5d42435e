"""The Concept Mixer's panel in a real browser: what an artist does with it, in both renderers and themes."""

import json
import re
from pathlib import Path

import pytest
from page import RENDERERS

ROOT = Path(__file__).resolve().parents[3]
MIXER, ENCODER, LOADER = 4, 3, 1  # numbers of nodes in `workflow`


def node(number, kind, place, inputs, outputs, values, size=(300, 90)):
    return {
        "id": number, "type": kind, "pos": place, "size": list(size), "flags": {}, "order": number, "mode": 0,
        "inputs": [{"name": name, "type": of, "link": link} for name, of, link in inputs],
        "outputs": [{"name": name, "type": of, "links": links} for name, of, links in outputs],
        "properties": {}, "widgets_values": values,
    }  # fmt: skip


def workflow(rows=None, dictionary="portraits.safetensors"):
    """A mixer on an encoded prompt, and its report; no picture, so that a run takes a second."""
    text = json.dumps({"version": 1, "mix": rows}) if rows else "{}"
    prompt = "a portrait of a person with blond hair, green eyes, no hat, smiling, sandy beach"
    wires = [("dictionary", "SUPSAE_DICTIONARY", 1), ("conditioning", "CONDITIONING", 3), ("model", "MODEL", None)]
    mixed = [("conditioning", "CONDITIONING", []), ("model", "MODEL", []), ("report", "STRING", [4])]
    loaded = [("dictionary", "SUPSAE_DICTIONARY", [1]), ("report", "STRING", [])]
    return {
        "last_node_id": 5, "last_link_id": 4, "version": 0.4, "groups": [], "config": {}, "extra": {},
        "nodes": [
            node(LOADER, "SupSAE_LoadDictionary", [20, 20], [], loaded, [dictionary]),
            node(2, "SupSAE_LoadPortraitsCLIP", [20, 180], [], [("CLIP", "CLIP", [2])], []),
            node(ENCODER, "CLIPTextEncode", [20, 300], [("clip", "CLIP", 2)],
                 [("CONDITIONING", "CONDITIONING", [3])], [prompt], size=(300, 160)),
            node(MIXER, "SupSAE_ConceptMixer", [400, 20], wires, mixed, [text], size=(440, 520)),
            node(5, "PreviewAny", [900, 20], [("source", "*", 4)], [], [], size=(300, 300)),
        ],
        "links": [
            [1, LOADER, 0, MIXER, 0, "SUPSAE_DICTIONARY"], [2, 2, 0, ENCODER, 0, "CLIP"],
            [3, ENCODER, 0, MIXER, 1, "CONDITIONING"], [4, MIXER, 2, 5, 0, "*"],
        ],
    }  # fmt: skip


@pytest.fixture(params=RENDERERS)
def open_mixer(request, comfy_page):
    """Return `open(rows)`: the page with a mixer in the middle, once a renderer."""

    def open_page(rows=None, *, scale=1.0, dictionary="portraits.safetensors", **settings):
        found = comfy_page(**{"Comfy.VueNodes.Enabled": RENDERERS[request.param], **settings})
        found.load(workflow(rows, dictionary))
        found.show(MIXER, scale)
        if dictionary == "portraits.safetensors":
            found.row("hair").wait_for()
        return found

    return open_page


def pick(found, category, concept):
    found.row(category).get_by_role("combobox").select_option(concept)


def strength(found, category):
    return found.row(category).get_by_role("slider")


@pytest.mark.every_frontend
def test_rows_are_there_before_anything_ran_and_say_what_the_prompt_says_after(open_mixer):
    found = open_mixer()
    names = found.page.locator(".supsae-row").evaluate_all("rows => rows.map(r => r.getAttribute('aria-label'))")
    assert "hair" in names and "background" in names and len(names) == len(set(names))
    pick(found, "hair", "say:red")
    found.run()
    assert found.row("hair").locator(".supsae-now").inner_text() == "blond → red"
    assert found.row("haircut").locator(".supsae-now").inner_text() == "unmentioned"
    pick(found, "hair", "say:blue")  # nothing is known of that before it ran
    assert found.row("hair").locator(".supsae-now").inner_text() == "blond"
    strength(found, "hair").fill("0.3")  # neither this nor that can be read
    found.run()
    assert found.row("hair").locator(".supsae-now").inner_text() == "blond … blue"


def test_a_mix_is_names_and_numbers_and_leave_takes_its_row_out(open_mixer):
    found = open_mixer()
    pick(found, "hair", "say:red")
    strength(found, "hair").fill("0.8")
    pick(found, "hat", "unmentioned")  # "none" is a concept of this table: what a prompt says of a bare head
    found.row("eyes").get_by_role("button", name="Keep").click()
    assert found.mix(MIXER) == {
        "hair": {"say": "red", "strength": 0.8},
        "hat": {"say": None, "strength": 1},
        "eyes": {"keep": True},
    }
    for category in ("hair", "hat"):
        pick(found, category, "leave")
    found.row("eyes").get_by_role("button", name="Kept").click()
    assert found.value(MIXER, "mix") == "{}"  # as if nothing had ever been moved


def test_numbers_are_typed_held_to_what_is_legal_and_a_double_click_is_1(open_mixer):
    found = open_mixer({"hair": {"say": "red", "strength": 0.5}})
    typed = found.row("hair").get_by_role("spinbutton")
    for text, wanted in (("1.2", 1.2), ("9", 3), ("", 1)):
        typed.fill(text)
        typed.press("Tab")
        assert found.mix(MIXER)["hair"]["strength"] == wanted
    strength(found, "hair").fill("0.2")
    strength(found, "hair").dblclick()
    assert found.mix(MIXER)["hair"]["strength"] == 1


def test_a_slider_that_has_the_focus_can_be_undone(open_mixer):
    found = open_mixer({"hair": {"say": "red", "strength": 1}})
    strength(found, "hair").focus()
    found.page.keyboard.press("ArrowLeft")
    assert found.mix(MIXER)["hair"]["strength"] == 0.95
    found.page.keyboard.press("Control+z")
    found.page.wait_for_function("!window.app.graph.getNodeById(4)?.widgets[0].value.includes('0.95')")
    assert found.mix(MIXER)["hair"]["strength"] == 1


def test_a_keyboard_is_enough(open_mixer):
    found = open_mixer()
    picker = found.row("hair").get_by_role("combobox")
    picker.focus()
    picker.press("r")  # the first concept with r; no shortcut of ComfyUI
    chosen = found.mix(MIXER)["hair"]["say"]
    assert chosen.startswith("r")
    picker.press("Tab")
    assert found.page.evaluate("document.activeElement.type") == "range"
    found.page.keyboard.press("ArrowLeft")
    assert found.mix(MIXER)["hair"]["strength"] == pytest.approx(0.95)
    found.page.keyboard.press("Tab")  # the number
    found.page.keyboard.press("Tab")
    assert found.row("haircut").evaluate("row => row.contains(document.activeElement)")  # the next row
    assert found.workflow()["nodes"] and len(found.workflow()["nodes"]) == 5  # Backspace, r and the like did nothing


def test_a_run_takes_away_neither_the_focus_nor_what_was_folded(open_mixer):
    found = open_mixer({"hair": {"say": "red", "strength": 1}})
    found.row("background").get_by_role("button", name="background", exact=True).click()
    strength(found, "hair").focus()
    found.run()
    found.changed()
    found.page.keyboard.press("ArrowLeft")
    assert found.mix(MIXER)["hair"]["strength"] == 0.95
    assert not found.row("background").get_by_role("combobox").is_visible()


def test_what_a_run_read_is_still_shown_after_undo(open_mixer):
    found = open_mixer({"hair": {"say": "red", "strength": 1}})
    found.run()
    pick(found, "eyes", "say:blue")
    found.command("Comfy.Undo")
    assert found.row("hair").locator(".supsae-now").inner_text() == "blond → red"
    found.load(workflow())  # another workflow, with a node of the same number
    found.row("hair").wait_for()
    assert found.row("hair").locator(".supsae-now").inner_text() == ""


def test_an_open_padlock_gives_back_what_it_took(open_mixer):
    rows = {"hair": {"say": "red", "strength": 0.8}}
    found = open_mixer(rows)
    found.row("hair").get_by_role("button", name="Keep").click()
    assert found.mix(MIXER) == {"hair": {"keep": True}}
    found.row("hair").get_by_role("button", name="Kept").click()
    assert found.mix(MIXER) == rows


def test_names_are_compared_as_the_server_does(open_mixer):
    found = open_mixer({"Hair": {"say": "RED", "strength": 0.8}})
    assert found.row("hair").get_by_role("combobox").input_value() == "say:red"
    strength(found, "hair").fill("0.5")
    assert found.mix(MIXER) == {"hair": {"say": "RED", "strength": 0.5}}


def test_concepts_are_forgotten_with_their_dictionary(open_mixer):
    found = open_mixer({"hair": {"say": "red", "strength": 1}})
    found.page.evaluate("() => { window.app.graph.getNodeById(4).disconnectInput(0) }")
    found.changed()
    found.row("background").wait_for(state="detached")
    assert found.row("hair").is_visible()  # what is mixed is never dropped
    assert found.mix(MIXER) == {"hair": {"say": "red", "strength": 1}}


def test_a_value_survives_save_reload_copy_and_undo(open_mixer):
    rows = {"hair": {"say": "red", "strength": 0.8}, "eyes": {"keep": True}}
    found = open_mixer(rows)
    assert found.mix(MIXER) == rows
    saved = found.workflow()
    found.load(saved)
    assert found.mix(MIXER) == rows
    copied = found.page.evaluate(
        """() => { const app = window.app, node = app.graph.getNodeById(4);
            app.canvas.selectNode(node); app.canvas.copyToClipboard(); app.canvas.pasteFromClipboard();
            return app.graph.nodes.filter((n) => n.type === "SupSAE_ConceptMixer").map((n) => n.id); }"""
    )
    other = next(one for one in copied if str(one) != str(MIXER))
    assert found.mix(other) == rows
    found.page.evaluate("(id) => window.app.graph.remove(window.app.graph.getNodeById(id))", other)
    found.show(MIXER)
    pick(found, "hair", "say:blue")
    assert found.mix(MIXER)["hair"]["say"] == "blue"
    found.command("Comfy.Undo")
    assert found.mix(MIXER) == rows
    found.command("Comfy.Redo")
    assert found.mix(MIXER)["hair"]["say"] == "blue"
    pick(found, "hair", "say:black")  # the panel that is shown is the one of the node that undo made anew
    assert found.mix(MIXER)["hair"]["say"] == "black"


def test_two_mixers_keep_their_own(open_mixer):
    found = open_mixer({"hair": {"say": "red", "strength": 0.8}})
    second = found.page.evaluate(
        """() => { const app = window.app, node = LiteGraph.createNode("SupSAE_ConceptMixer");
            node.pos = [400, 700]; app.graph.add(node);
            app.graph.getNodeById(1).connect(0, node, 0); return node.id; }"""
    )
    found.frames()
    found.row("hair").nth(1).wait_for()
    panels = found.page.locator(".supsae-mixer")
    for i in range(2):  # in whatever order the frontend lays them out
        own = panels.nth(i).get_by_role("group", name="hair", exact=True).get_by_role("combobox")
        if own.input_value() == "leave":
            own.select_option("say:blue")
    assert found.mix(MIXER) == {"hair": {"say": "red", "strength": 0.8}}
    assert found.mix(second) == {"hair": {"say": "blue", "strength": 1}}


def test_names_that_the_dictionary_lacks_are_shown_and_never_dropped(open_mixer):
    rows = {"hair": {"say": "teal", "strength": 0.5}, "beard": {"say": "long", "strength": 1}}
    found = open_mixer(rows)
    assert found.mix(MIXER) == rows
    for category in rows:
        warning = found.row(category).locator(".supsae-warning")
        assert "not in this dictionary" in warning.get_attribute("title")
    pick(found, "eyes", "say:blue")
    assert found.mix(MIXER) == {**rows, "eyes": {"say": "blue", "strength": 1}}
    with pytest.raises(RuntimeError, match="execution_error"):
        found.run()


def test_a_dictionary_that_is_not_there_is_said_and_the_mix_stays(open_mixer):
    rows = {"hair": {"say": "red", "strength": 0.8}}
    found = open_mixer(rows, dictionary="gone.safetensors")
    found.expected.append("gone.safetensors")  # the browser itself reports what is refused
    note = found.page.locator(".supsae-mixer .supsae-note")
    found.page.wait_for_function("document.querySelector('.supsae-mixer .supsae-note').textContent.includes('gone')")
    assert "no dictionary 'gone.safetensors'" in note.inner_text()
    assert found.mix(MIXER) == rows


@pytest.mark.parametrize("text", ['{"version": 99, "mix": {"hair": {"say": "red"}}}', "not json"])
def test_a_mix_of_another_version_stays_until_a_row_is_moved(open_mixer, text):
    found = open_mixer()
    made = workflow()
    made["nodes"][3]["widgets_values"] = [text]
    found.load(made)
    found.row("hair").wait_for()
    assert found.value(MIXER, "mix") == text
    assert "cannot be read" in found.page.locator(".supsae-mixer .supsae-note").inner_text()


def test_the_search_box_comes_with_many_categories_and_rows_fold(open_mixer):
    found = open_mixer()
    assert found.page.get_by_role("searchbox").count() == 0
    many = {f"kind {i}": {"say": f"value {i}", "strength": 1} for i in range(20)}
    found.load(workflow(many))
    found.row("kind 7").wait_for()
    found.page.get_by_role("searchbox").fill("kind 7")
    assert found.page.locator(".supsae-row:visible").count() == 1
    found.page.get_by_role("searchbox").fill("")
    tall = found.row("hair").bounding_box()["height"]
    found.row("hair").get_by_role("button", name="hair", exact=True).click()
    assert found.row("hair").bounding_box()["height"] < tall
    found.page.get_by_role("button", name="Reset all").click()
    assert found.value(MIXER, "mix") == "{}"


def luminance(colour):
    """Return the relative luminance of "rgb(r, g, b)", as WCAG 2 defines it."""
    parts = [int(one) / 255 for one in re.findall(r"\d+", colour)[:3]]
    linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return sum(weight * one for weight, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_text_stands_out_in_both_themes(open_mixer, theme):
    found = open_mixer({"hair": {"say": "red", "strength": 0.8}}, **{"Comfy.ColorPalette": theme})
    ink, field = (
        found.row("hair")
        .get_by_role("combobox")
        .evaluate("one => [getComputedStyle(one).color, getComputedStyle(one).backgroundColor]")
    )
    light, dark = sorted((luminance(ink), luminance(field)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2, level AA


def test_another_file_in_the_loader_is_asked_for_at_once(open_mixer):
    found = open_mixer()
    found.expected.append("gone.safetensors")
    found.page.evaluate("() => { window.app.graph.getNodeById(1).widgets[0].value = 'gone.safetensors' }")
    found.changed()
    found.page.wait_for_function("document.querySelector('.supsae-mixer .supsae-note').textContent.includes('gone')")


def test_a_removed_node_leaves_no_listener(open_mixer):
    found = open_mixer()
    session = found.page.context.new_cdp_session(found.page)

    def listeners():
        api = session.send("Runtime.evaluate", {"expression": "window.app.api ?? window.comfyAPI.api.api"})
        held = session.send("DOMDebugger.getEventListeners", {"objectId": api["result"]["objectId"]})
        return sum(one["type"].startswith("supsae") for one in held["listeners"])

    before = listeners()
    assert before  # the mixer hears what is read while a model samples
    found.page.evaluate("() => { const one = window.app.graph.getNodeById(4).clone(); window.app.graph.add(one) }")
    assert listeners() == before
    found.page.evaluate(
        """() => { const graph = window.app.graph; window.__gone = document.querySelector(".supsae-mixer");
            for (const one of graph.nodes.filter((one) => one.type === "SupSAE_ConceptMixer")) graph.remove(one); }"""
    )
    found.frames()
    assert found.page.locator(".supsae-mixer").count() == 0
    assert listeners() == before
    found.expected.append("gone.safetensors")
    found.page.evaluate("() => { window.app.graph.getNodeById(1).widgets[0].value = 'gone.safetensors' }")
    found.changed()
    assert "gone" not in found.page.evaluate("window.__gone.textContent")


def test_the_app_mode_has_the_panel_too(open_mixer):
    found = open_mixer()
    made = workflow({"hair": {"say": "red", "strength": 0.8}})
    made["extra"] = {"linearData": {"inputs": [[str(MIXER), "mix"]], "outputs": ["5"]}}
    found.load(made)
    found.command("Comfy.ToggleLinear")
    tour = found.page.get_by_role("button", name="Skip")  # a newer frontend offers one the first time
    found.page.add_locator_handler(tour, lambda: tour.click())
    found.page.locator(".supsae-mixer:visible").wait_for()
    pick(found, "hair", "say:blue")
    assert found.mix(MIXER)["hair"] == {"say": "blue", "strength": 0.8}
    found.command("Comfy.ToggleLinear")
    found.show(MIXER)
    assert found.row("hair").get_by_role("combobox").input_value() == "say:blue"


def test_a_subgraph_keeps_the_mix_and_finds_the_dictionary_outside(open_mixer):
    rows = {"hair": {"say": "red", "strength": 0.8}}
    found = open_mixer(rows)
    inner = found.page.evaluate(
        """() => { const app = window.app, graph = app.graph;
            const { subgraph, node } = graph.convertToSubgraph(new Set([graph.getNodeById(4)]));
            app.canvas.setGraph(subgraph);
            return subgraph.nodes.find((one) => one.type === "SupSAE_ConceptMixer").id; }"""
    )
    found.frames(5)
    value = found.page.evaluate(
        "(id) => window.app.canvas.graph.getNodeById(id).widgets.find((w) => w.name === 'mix').value", inner
    )
    assert json.loads(value)["mix"] == rows
    found.changed()
    found.row("background").wait_for()  # only the dictionary, which stands outside, knows of it
    found.page.evaluate("() => window.app.canvas.setGraph(window.app.graph.rootGraph ?? window.app.graph)")
    found.run()


def test_the_slider_of_the_template_changes_one_picture_and_not_the_other(comfy_page, frontend):
    found = comfy_page()
    found.load(json.loads((ROOT / "example_workflows" / "Edit a portrait.json").read_text(encoding="utf-8")))
    nodes = found.workflow()["nodes"]
    mixer = next(one["id"] for one in nodes if one["type"] == "SupSAE_ConceptMixer")
    shown = {one["title"]: str(one["id"]) for one in nodes if one["type"] == "PreviewImage"}

    def pictures():
        outputs = found.run()
        return {title: frontend.view(outputs[number]["images"][0]) for title, number in shown.items()}

    first = pictures()
    found.show(mixer)
    moved = found.mix(mixer)
    category = next(name for name, one in moved.items() if one.get("say"))
    strength(found, category).fill("0.4")
    assert found.mix(mixer) == {**moved, category: {**moved[category], "strength": 0.4}}
    second = pictures()
    assert [title for title in shown if first[title] != second[title]] == ["After"]


def test_on_a_model_the_panel_hears_what_the_prompt_says_while_it_draws(comfy_page):
    found = comfy_page()
    found.load(json.loads((ROOT / "example_workflows" / "Edit a portrait.json").read_text(encoding="utf-8")))
    mixer = found.page.evaluate(
        """() => { const graph = window.app.graph, of = (type) => graph.nodes.filter((one) => one.type === type);
            const [mixer] = of("SupSAE_ConceptMixer"), [model] = of("UNETLoader");
            const prompt = of("CLIPTextEncode").find((one) => one.title === "Prompt");
            const edited = of("KSampler").find((one) => one.title === "Sample the edit");
            const slot = (node, name) => node.inputs.findIndex((one) => one.name === name);
            mixer.disconnectInput(slot(mixer, "conditioning"));
            model.connect(0, mixer, slot(mixer, "model"));
            mixer.connect(1, edited, slot(edited, "model"));
            prompt.connect(0, edited, slot(edited, "positive"));
            return mixer.id; }"""
    )
    found.run()
    found.show(mixer)
    assert found.row("hair").locator(".supsae-now").inner_text() == "blond → red"
