"""The Concept Mixer's panel in a real browser: what an artist does with it."""

import contextlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from mixer_page import RED, Mixer
from page import RENDERERS
from PIL import Image

from supsae.portraits.paths import DICTIONARY
from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary
from supsae.supsae_core.dictionary.slider_map import SliderMap

ROOT = Path(__file__).resolve().parents[3]
both_renderers = pytest.mark.parametrize("vue", RENDERERS.values(), ids=RENDERERS)


@both_renderers
@pytest.mark.every_frontend
def test_the_slider_of_the_template_changes_one_picture_and_not_the_other(comfy_page, frontend, vue, request):
    if not vue and "required" not in request.node.name:
        pytest.skip("another frontend's panels are tried in one renderer")
    found = Mixer(comfy_page(**{"Comfy.VueNodes.Enabled": vue}))
    found.on.load(json.loads((ROOT / "example_workflows" / "Edit a portrait.json").read_text(encoding="utf-8")))
    nodes = found.on.workflow()["nodes"]
    mixer = next(one["id"] for one in nodes if one["type"] == "SupSAE_ConceptMixer")
    found.does(
        "for (const one of graph.nodes.flatMap((node) => node.subgraph?.nodes ?? []))"
        " if (one.type === 'KSampler') one.widgets[2].value = 2"  # steps
    )
    (compared,) = [str(one["id"]) for one in nodes if one["type"] == "SupSAE_ComparePictures"]
    shown = ("After", "Before")

    def pictures():
        outputs = found.run()
        files = [Image.open(io.BytesIO(frontend.view(one))).tobytes() for one in outputs[compared]["images"]]
        return dict(zip(shown, files, strict=True))  # pixels: the files hold the workflow as well

    first = pictures()
    found.on.show(mixer)
    assert found.now() == "blond → red"
    moved = found.mix(mixer)
    found.slider().fill("0.3")  # neither this nor that can be read
    assert found.mix(mixer) == {**moved, "hair": {**moved["hair"], "strength": 0.3}}
    second = pictures()
    assert [title for title in shown if first[title] != second[title]] == ["After"]
    assert found.now() == "blond … red"


@both_renderers
def test_every_control_writes_the_mix_and_leave_takes_its_row_out(open_mixer, vue):
    found = open_mixer(vue=vue)
    names = found.page.locator(".supsae-row").evaluate_all("rows => rows.map(r => r.getAttribute('aria-label'))")
    assert "hair" in names and "background" in names and len(names) == len(set(names))  # before anything ran
    found.pick("hair", "say:red")
    found.slider().fill("0.8")
    found.pick("hat", "unmentioned")  # "none" is a concept of this table: what a prompt says of a bare head
    found.press("eyes", "Keep")
    assert found.mix() == {**RED, "hat": {"say": None, "strength": 1}, "eyes": {"keep": True}}
    found.press("hair", "Keep")
    assert found.mix()["hair"] == {"keep": True}
    found.press("hair", "Kept")  # an open padlock gives back what it took
    assert found.mix()["hair"] == RED["hair"]
    typed = found.row("hair").get_by_role("spinbutton")
    for text, wanted in (("1.2", 1.2), ("9", 3), ("", 1)):
        typed.fill(text)
        typed.press("Tab")
        assert found.mix()["hair"]["strength"] == wanted
    found.slider().fill("0.2")
    found.slider().dblclick()
    assert found.mix()["hair"]["strength"] == 1
    for category in ("hair", "hat"):
        found.pick(category, "leave")
    found.press("eyes", "Kept")
    assert found.text() == "{}"  # as if nothing had ever been moved


FIELDS = {"strength": ("0.6", 0.6, "0.60"), "from": ("25", 0.25, "25")}  # what is typed, written and shown


@pytest.mark.parametrize("field", FIELDS)
def test_news_of_the_graph_do_not_write_over_what_is_being_typed(open_mixer, field):
    found = open_mixer(RED)
    number, written, shown = FIELDS[field]
    found.row("hair").locator(".supsae-clock").click()
    row = found.row("hair")
    typed = row.locator(".supsae-slider input[type=number]") if field == "strength" else row.get_by_label("hair: from")
    typed.fill(number)
    found.does("app.api.dispatchEvent(new CustomEvent('supsae.compared', { detail: { pictures: [], graph } }))")
    assert typed.input_value() == number
    typed.press("Tab")
    assert found.mix()["hair"][field] == written
    assert typed.input_value() == shown


def test_a_strength_that_was_not_measured_is_said_to_be_so(open_mixer):
    found = open_mixer(RED)
    line = found.row("hair").locator(".supsae-reason")
    assert not line.is_visible()
    found.slider().fill("1.3")
    assert line.inner_text() == "1.30 is outside the calibrated range, 0 to 1: look at the picture."
    found.slider().dblclick()
    assert not line.is_visible()


def test_a_strength_beyond_what_was_safe_for_its_concept_is_said_to_be_so(open_mixer, frontend):
    shipped, name = load_dictionary(DICTIONARY), "even.safetensors"
    own = {"hair: red": SliderMap(((1.0, 1.0),), -0.25, 1.25)}
    save_dictionary(replace(shipped, sliders=own), frontend.base / "models/supsae" / name)
    found = open_mixer(RED, dictionary=name)
    found.run()
    line = found.row("hair").locator(".supsae-reason")
    found.slider().fill("1.2")
    assert not line.is_visible()
    found.slider().fill("1.3")
    wanted = "1.30 is beyond where pictures of red still went its way, -0.25 to 1.25: look at the picture."
    assert line.inner_text() == wanted
    found.pick("hair", "say:black")  # which was not calibrated
    assert line.inner_text() == "1.30 is outside the calibrated range, 0 to 1: look at the picture."
    (frontend.base / "models/supsae" / name).unlink()


@both_renderers
def test_a_row_that_is_left_as_it_is_can_be_said_less_or_more(open_mixer, vue):
    found = open_mixer(vue=vue)
    found.slider().fill("0.5")
    assert found.mix() == {"hair": {"scale": 0.5}} and found.picker("hair").input_value() == "leave"
    found.run()
    assert found.now() == "blond × 0.5"
    found.pick("hair", "say:red")
    assert found.mix() == {"hair": {"say": "red", "strength": 1}}
    found.pick("hair", "leave")
    found.slider().fill("1.2")
    found.slider().dblclick()
    assert found.text() == "{}"


@both_renderers
def test_the_prompt_is_underlined_and_a_click_teaches_its_own_words(open_mixer, vue):
    """A word of the table is underlined; one outside is asked about, and taken once that is clicked."""
    found = open_mixer(RED, vue=vue)
    found.does("graph.getNodeById(3).widgets[0].value = 'a blonde girl, smiling, wearing a cap'")
    found.run()
    words = found.page.locator(".supsae-words .supsae-word")
    assert words.all_inner_texts() == ["blonde girl,?", "smiling,", "cap?"]
    assert words.nth(1).get_attribute("title") == "expression: smile"
    assert found.now() == "unmentioned → red"
    words.nth(0).click()
    assert found.mix() == {"hair": {**RED["hair"], "at": "blonde girl"}}
    found.run()
    assert found.now() == "blond → red"  # taken for what is nearest to it
    words.nth(2).press("Enter")  # of a row that changes nothing it is kept all the same
    assert found.mix()["hat"] == {"scale": 1, "at": "cap"}
    found.pick("hat", "say:crown")
    assert found.mix()["hat"] == {"say": "crown", "strength": 1, "at": "cap"}
    found.pick("hat", "leave")
    words.nth(2).click()  # taken back
    words.nth(0).click()
    assert found.mix() == RED


@both_renderers
def test_a_click_says_which_of_two_people_is_meant(open_mixer, vue):
    found = open_mixer({"hair": {"say": "red", "strength": 1}}, vue=vue)
    found.does(
        "graph.getNodeById(3).widgets[0].value = 'two people, left: blond hair, smiling, right: black hair, sad'"
    )
    found.run()
    assert found.now() == "blond, black → red, red"
    words = found.page.locator(".supsae-words button.supsae-word", has_text="hair")
    assert words.all_inner_texts() == ["blond hair,", "black hair,"]
    words.nth(1).click()
    assert found.mix() == {"hair": {"say": "red", "strength": 1, "mention": 2}}
    found.run()
    assert found.now() == "blond, black → blond, red" and words.nth(1).get_attribute("aria-pressed") == "true"
    found.pick("hair", "say:blue")
    assert found.mix()["hair"]["mention"] == 2
    words.nth(1).click()  # every one again
    assert "mention" not in found.mix()["hair"]
    found.pick("hair", "leave")
    assert words.nth(1).is_disabled()  # nothing is to be said there


@both_renderers
def test_a_keyboard_is_enough(open_mixer, vue):
    found = open_mixer(vue=vue)
    found.picker("hair").focus()
    found.picker("hair").press("r")  # the first concept with r; no shortcut of ComfyUI
    assert found.mix()["hair"]["say"].startswith("r")
    found.picker("hair").press("Tab")
    assert found.page.evaluate("document.activeElement.type") == "range"
    found.page.keyboard.press("ArrowLeft")
    assert found.mix()["hair"]["strength"] == 0.95
    found.page.keyboard.press("Control+z")
    found.page.wait_for_function("!window.app.graph.getNodeById(4)?.widgets[0].value.includes('0.95')")
    found.slider().focus()
    found.run()
    found.on.changed()
    found.page.keyboard.press("ArrowLeft")  # a run does not take away the focus
    assert found.mix()["hair"]["strength"] == 0.95
    found.page.keyboard.press("Tab")  # the number
    found.page.keyboard.press("Tab")
    assert found.row("haircut").evaluate("row => row.contains(document.activeElement)")  # the next row
    assert len(found.on.workflow()["nodes"]) == 5  # r and the like did nothing


def test_what_a_run_read_is_still_shown_after_undo(open_mixer):
    found = open_mixer(RED)
    found.press("background", "background")
    found.run()
    assert not found.picker("background").is_visible()  # it stays folded
    found.pick("eyes", "say:blue")
    found.on.command("Comfy.Undo")
    assert (found.now(), found.now("haircut")) == ("blond → red", "unmentioned")
    found.pick("hair", "say:blue")  # nothing is known of that before it ran
    assert found.now() == "blond"
    found.load()  # another workflow, with a node of the same number
    assert found.now() == ""


def test_names_are_compared_as_the_server_does_and_concepts_go_with_their_dictionary(open_mixer):
    found = open_mixer({"Hair": {"say": "RED", "strength": 0.8}})
    assert found.picker("hair").input_value() == "say:red"
    found.slider().fill("0.5")
    assert found.mix() == {"hair": {"say": "RED", "strength": 0.5}}
    found.does("graph.getNodeById(4).disconnectInput(0)")
    found.on.changed()
    found.row("background").wait_for(state="detached")
    assert found.row("hair").is_visible()  # what is mixed is never dropped
    assert found.mix() == {"hair": {"say": "RED", "strength": 0.5}}


@both_renderers
def test_a_value_survives_save_reload_copy_and_undo(open_mixer, vue):
    rows = {**RED, "eyes": {"keep": True}}
    found = open_mixer(rows, vue)
    found.on.load(found.on.workflow())
    assert found.mix() == rows
    other = found.does(
        """app.canvas.selectNode(graph.getNodeById(4)); app.canvas.copyToClipboard(); app.canvas.pasteFromClipboard();
        return graph.nodes.find((n) => n.type === "SupSAE_ConceptMixer" && n.id != 4).id;"""
    )
    assert found.mix(other) == rows
    found.does("graph.remove(graph.getNodeById(given[0]))", other)
    found.show()
    found.pick("hair", "say:blue")
    found.on.command("Comfy.Undo")
    assert found.mix() == rows
    found.on.command("Comfy.Redo")
    assert found.mix()["hair"]["say"] == "blue"
    found.pick("hair", "say:black")  # the panel that is shown is the one of the node that undo made anew
    assert found.mix()["hair"]["say"] == "black"


@both_renderers
def test_two_mixers_keep_their_own(open_mixer, vue):
    found = open_mixer(RED, vue)
    second = found.does(
        """const node = LiteGraph.createNode("SupSAE_ConceptMixer"); node.pos = [400, 700]; graph.add(node);
        graph.getNodeById(1).connect(0, node, 0); return node.id;"""
    )
    found.on.frames()
    found.row("hair").nth(1).wait_for()
    for panel in found.page.locator(".supsae-mixer").all():  # in whatever order the frontend lays them out
        own = panel.get_by_role("group", name="hair", exact=True).get_by_role("combobox")
        if own.input_value() == "leave":
            own.select_option("say:blue")
    assert (found.mix(), found.mix(second)) == (RED, {"hair": {"say": "blue", "strength": 1}})


def test_names_that_the_dictionary_lacks_are_shown_and_never_dropped(open_mixer):
    rows = {"hair": {"say": "teal", "strength": 0.5}, "beard": {"say": "long", "strength": 1}}
    found = open_mixer(rows)
    for category in rows:
        warning = found.row(category).locator(".supsae-warning")
        assert "not in this dictionary" in warning.get_attribute("title")
    found.pick("eyes", "say:blue")
    assert found.mix() == {**rows, "eyes": {"say": "blue", "strength": 1}}
    found.run()  # what is known is drawn
    assert found.now("eyes") == "green → blue" and found.verdict("eyes").startswith("eyes: Took")
    for category in rows:
        assert found.verdict(category) == f"{category}: Left out"
        assert "in this table" in found.row(category).locator(".supsae-reason").inner_text()


@both_renderers
def test_a_row_says_whether_its_edit_took(open_mixer, vue):
    found = open_mixer({"hair": {"say": "red", "strength": 1}, "eyes": {"keep": True}}, vue)
    assert found.verdict("hair") is None  # before a run
    found.run()
    assert found.verdict("hair").startswith("hair: Took") and found.verdict("eyes") is None
    found.slider("hair").fill("0.2")
    assert found.verdict("hair") is None  # that is not what was run
    found.run()
    reason = found.row("hair").locator(".supsae-reason")
    assert found.verdict("hair") in ("hair: Weak", "hair: Did not take") and "raise the strength" in reason.inner_text()
    assert reason.evaluate(
        "line => line.getBoundingClientRect().bottom <= line.closest('.supsae-row').getBoundingClientRect().bottom"
    )


@both_renderers
def test_rows_are_switched_off_and_on_and_keep_their_values(open_mixer, vue):
    found = open_mixer({"hair": {"say": "red", "strength": 0.8}, "eyes": {"keep": True}, "hat": {"scale": 1.3}}, vue)
    before = found.mix()
    found.row("hair").locator(".supsae-eye").click()
    assert found.mix() == before | {"hair": before["hair"] | {"off": True}}
    found.slider("hair").fill("0.9")
    assert found.mix()["hair"] == {"say": "red", "strength": 0.9, "off": True}
    found.run()
    assert found.row("hair").locator(".supsae-now").inner_text() == "blond" and found.verdict("hair") is None
    compare = found.page.get_by_role("button", name="A/B")
    compare.click()
    assert [row.get("off") for row in found.mix().values()] == [True, None, True]
    compare.click()
    assert found.mix() == before | {"hair": {"say": "red", "strength": 0.9}}
    assert found.row("eyes").locator(".supsae-eye").is_hidden()


@both_renderers
def test_a_row_can_have_two_ends_and_cross_the_middle(open_mixer, vue):
    mixer = open_mixer(vue)
    mixer.load()
    mixer.run()
    mixer.pick("expression", "two ends …")
    assert mixer.mix() == {"expression": {"between": ["smile", "sad"], "position": 0}}  # what is said, and another
    upper = mixer.page.get_by_label("Upper end of expression")
    upper.select_option("surprised")
    slider = mixer.slider("expression")
    assert (slider.get_attribute("min"), slider.get_attribute("max")) == ("-1.5", "1.5")
    slider.fill("1")
    assert mixer.mix() == {"expression": {"between": ["smile", "surprised"], "position": 1}}
    mixer.run()
    assert mixer.now("expression") == "smile → surprised"
    assert mixer.verdict("expression").startswith("expression: Took")
    slider.dblclick()
    assert mixer.mix()["expression"]["position"] == 0
    mixer.pick("expression", "sad")
    assert mixer.mix() == {"expression": {"between": ["sad", "surprised"], "position": 0}}
    mixer.pick("expression", "leave as is")
    assert mixer.mix() == {} and not upper.is_visible()


@both_renderers
def test_one_switch_lets_the_rest_of_the_picture_follow_where_a_lock_would_hold_it(open_mixer, vue):
    mixer = open_mixer(vue)
    mixer.load(RED)
    switch = mixer.page.get_by_label("Hold the rest")
    assert not switch.is_visible()  # nothing would hold it
    mixer.on.load(json.loads((ROOT / "example_workflows" / "Edit a portrait.json").read_text(encoding="utf-8")))
    (number,) = [one["id"] for one in mixer.on.workflow()["nodes"] if one["type"] == "SupSAE_ConceptMixer"]
    mixer.on.show(number)
    switch.wait_for()
    assert switch.is_checked()
    rows = mixer.mix(number)
    switch.uncheck()
    assert json.loads(mixer.on.value(number, "mix")) == {"version": 1, "hold": False, "mix": rows}
    mixer.page.get_by_role("button", name="Reset all").click()
    assert not switch.is_checked() and mixer.mix(number) == {}
    switch.check()
    assert mixer.on.value(number, "mix") == "{}"


def test_output_of_what_is_not_connected_says_so(open_mixer):
    """ComfyUI shows an artist the sentence, and leaves out the nodes that would have been given nothing."""
    found = open_mixer()
    found.does(
        """graph.getNodeById(4).connect(1, graph.getNodeById(5), 0);
        const api = app.api ?? window.comfyAPI.api.api, told = (event) => { window.__told = event.detail; };
        api.addEventListener("execution_error", told, { once: true });"""
    )
    with contextlib.suppress(RuntimeError):  # the rest of the run is a success
        found.run()
    told = found.page.evaluate("window.__told")
    assert "conditioning connected and no model, so its model output is empty" in told["exception_message"]


def test_what_cannot_be_read_is_said_and_the_mix_stays(open_mixer):
    for text in ('{"version": 99, "mix": {"hair": {"say": "red"}}}', "not json"):
        found = open_mixer(text=text)
        found.note("cannot be read")
        assert found.text() == text
    found.load(RED, dictionary="gone.safetensors")
    found.note("no dictionary 'gone.safetensors'")
    assert found.mix() == RED
    found.load()
    found.does("graph.getNodeById(1).widgets[0].value = 'gone.safetensors'")
    found.on.changed()
    found.note("gone")  # another file in the loader is asked for at once


def test_the_search_box_comes_with_many_categories_and_reset_takes_all_out(open_mixer):
    found = open_mixer()
    search = found.page.get_by_role("searchbox")
    assert search.count() == 0
    found.load({f"kind {i}": {"say": f"value {i}", "strength": 1} for i in range(20)})
    search.fill("kind 7")
    assert found.page.locator(".supsae-row:visible").count() == 1
    search.fill("")
    found.page.get_by_role("button", name="Reset all").click()
    assert found.text() == "{}"


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_text_stands_out(open_mixer, theme):
    found = open_mixer(RED)
    try:
        found.on.setting("Comfy.ColorPalette", theme)
        found.on.frames()
        style = "one => [getComputedStyle(one).color, getComputedStyle(one).backgroundColor]"
        ink, field = (sum(map(int, re.findall(r"\d+", one)[:3])) for one in found.picker("hair").evaluate(style))
        assert abs(ink - field) > 3 * 125  # W3C's difference in brightness
    finally:
        found.on.setting("Comfy.ColorPalette", "dark")


def test_a_removed_node_leaves_no_listener(open_mixer):
    found = open_mixer()
    session = found.page.context.new_cdp_session(found.page)

    def listeners():
        api = session.send("Runtime.evaluate", {"expression": "window.app.api ?? window.comfyAPI.api.api"})
        held = session.send("DOMDebugger.getEventListeners", {"objectId": api["result"]["objectId"]})
        return sum(one["type"].startswith("supsae") for one in held["listeners"])

    before = listeners()
    assert before  # the mixer hears what is read while a model samples
    found.does("graph.add(graph.getNodeById(4).clone())")
    found.does(
        """window.__gone = document.querySelector(".supsae-mixer");
        for (const one of graph.nodes.filter((one) => one.type === "SupSAE_ConceptMixer")) graph.remove(one);"""
    )
    found.on.frames()
    assert found.page.locator(".supsae-mixer").count() == 0
    assert listeners() == before
    found.does("graph.getNodeById(1).widgets[0].value = 'gone.safetensors'")
    found.on.changed()
    assert "gone" not in found.page.evaluate("window.__gone.textContent")
    session.detach()
