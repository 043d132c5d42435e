"""The Concept Mixer's Live switch in a real browser: the picture is drawn while a slider is dragged."""

import json
from pathlib import Path

import pytest
from mixer_page import Mixer
from page import RENDERERS

TEMPLATE = Path(__file__).resolve().parents[3] / "example_workflows" / "Edit a portrait.json"


class Live(Mixer):
    """The template with few steps, its runs counted."""

    def __init__(self, found):
        super().__init__(found)
        found.load(json.loads(TEMPLATE.read_text(encoding="utf-8")))
        (self.number,) = [one["id"] for one in found.workflow()["nodes"] if one["type"] == "SupSAE_ConceptMixer"]
        self.steps(2)
        self.sent, self.most, self.under_way = [], 0, 0
        self.page.on("request", self.hear)
        self.does(
            "const api = window.app.api ?? window.comfyAPI.api.api; window.__ended = [];"
            " window.__hearing = new AbortController();"
            " for (const type of ['execution_success', 'execution_error'])"
            " api.addEventListener(type, () => window.__ended.push(type), { signal: window.__hearing.signal })"
        )
        found.show(self.number)
        self.switch = self.page.get_by_label("Live")

    def hear(self, request):
        if request.method == "POST" and request.url.endswith("/prompt"):
            inputs = json.loads(request.post_data)["prompt"][str(self.number)]["inputs"]
            self.sent.append(json.loads(inputs["mix"])["mix"]["hair"]["strength"])

    def steps(self, count):
        self.does(
            "for (const one of graph.nodes.flatMap((node) => node.subgraph?.nodes ?? []))"
            f" if (one.type === 'KSampler') one.widgets[2].value = {count}"
        )

    def rest(self):
        """Wait until all runs that were sent have ended."""
        self.page.wait_for_timeout(200)
        while True:
            sent = len(self.sent)
            self.page.wait_for_function(f"window.__ended.length >= {sent}", timeout=60_000)
            self.page.wait_for_timeout(300)
            if len(self.sent) == sent:
                return


@pytest.fixture(params=RENDERERS.values(), ids=RENDERERS)
def live(comfy_page, request):
    found = Live(comfy_page(**{"Comfy.VueNodes.Enabled": request.param}))
    yield found
    found.page.remove_listener("request", found.hear)  # other tests go on in the same page
    found.page.evaluate("() => window.__hearing.abort()")


def test_a_slider_that_is_dragged_is_drawn_on_its_way_and_where_it_is_let_go(live):
    before = live.mix(live.number)["hair"]["strength"]
    live.slider().fill("0.9")
    live.page.wait_for_timeout(300)
    assert live.sent == []  # nothing is drawn unasked
    live.switch.check()
    live.rest()
    assert live.sent == [0.9]
    box = live.slider().bounding_box()
    live.page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] / 2)
    live.page.mouse.down()
    for tenths in range(6, 0, -1):
        live.page.mouse.move(box["x"] + box["width"] * tenths / 10, box["y"] + box["height"] / 2)
        live.page.wait_for_timeout(400)
    live.page.mouse.up()
    live.rest()
    last = live.mix(live.number)["hair"]["strength"]
    assert 0.05 <= last <= 0.3  # a tenth of 1.5, and the handle's own width
    assert live.sent[-1] == last  # what was let go is drawn last
    assert 3 <= len(live.sent) == len(set(live.sent))  # some on the way, none twice in a row of moves one way
    assert live.sent[1:] == sorted(live.sent[1:], reverse=True)
    for _ in range(12):  # undo leads back through what was drawn or rested at on the way: nine places at most
        live.on.command("Comfy.Undo")
        if live.mix(live.number)["hair"]["strength"] == before:
            return
    pytest.fail("undo did not lead back")


def test_what_cannot_run_is_tried_once(live):
    live.on.expected += ["400", "PromptExecutionError"]
    live.steps(-1)  # which the server refuses
    live.switch.click()
    live.page.wait_for_function("!document.querySelector('.supsae-live input').checked")
    assert len(live.sent) == 1
    live.page.keyboard.press("Escape")
    live.slider().fill("0.4")
    live.page.wait_for_timeout(300)
    assert len(live.sent) == 1
