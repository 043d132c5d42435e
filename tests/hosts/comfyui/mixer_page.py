"""The Concept Mixer in ComfyUI's page: a small workflow with one, and its panel's controls."""

import json

MIXER, LOADER = 4, 1  # numbers of nodes in `workflow`
FILE = "portraits.safetensors"
RED = {"hair": {"say": "red", "strength": 0.8}}


def node(number, kind, place, inputs, outputs, values, size=(300, 90)):
    return {
        "id": number, "type": kind, "pos": place, "size": list(size), "flags": {}, "order": number, "mode": 0,
        "inputs": [{"name": name, "type": of, "link": link} for name, of, link in inputs],
        "outputs": [{"name": name, "type": of, "links": links} for name, of, links in outputs],
        "properties": {}, "widgets_values": values,
    }  # fmt: skip


def workflow(mix="{}", dictionary=FILE):
    """A mixer on an encoded prompt, and its report; no picture, so that a run takes a second."""
    prompt = "a portrait of a person with blond hair, green eyes, no hat, smiling, sandy beach"
    wires = [("dictionary", "SUPSAE_DICTIONARY", 1), ("conditioning", "CONDITIONING", 3), ("model", "MODEL", None)]
    mixed = [("conditioning", "CONDITIONING", []), ("model", "MODEL", []), ("report", "STRING", [4])]
    loaded = [("dictionary", "SUPSAE_DICTIONARY", [1]), ("report", "STRING", [])]
    return {
        "last_node_id": 5, "last_link_id": 4, "version": 0.4, "groups": [], "config": {}, "extra": {},
        "nodes": [
            node(LOADER, "SupSAE_LoadDictionary", [20, 20], [], loaded, [dictionary]),
            node(2, "SupSAE_LoadPortraitsCLIP", [20, 180], [], [("CLIP", "CLIP", [2])], []),
            node(3, "CLIPTextEncode", [20, 300], [("clip", "CLIP", 2)], [("CONDITIONING", "CONDITIONING", [3])],
                 [prompt], size=(300, 160)),
            node(MIXER, "SupSAE_ConceptMixer", [400, 20], wires, mixed, [mix], size=(440, 520)),
            node(5, "PreviewAny", [900, 20], [("source", "*", 4)], [], [], size=(300, 300)),
        ],
        "links": [
            [1, LOADER, 0, MIXER, 0, "SUPSAE_DICTIONARY"], [2, 2, 0, 3, 0, "CLIP"],
            [3, 3, 0, MIXER, 1, "CONDITIONING"], [4, MIXER, 2, 5, 0, "*"],
        ],
    }  # fmt: skip


class Mixer:
    """A page with `workflow` in it, and its mixer in the middle."""

    def __init__(self, found):
        self.on, self.page, self.row, self.run = found, found.page, found.row, found.run

    def load(self, rows=None, dictionary=FILE, text="{}", **extra):
        mix = json.dumps({"version": 1, "mix": rows}) if rows else text
        self.on.load(workflow(mix, dictionary) | {"extra": extra}, app=bool(extra))
        self.show()
        if dictionary == FILE:
            self.row("hair").wait_for()

    def show(self):
        self.on.show(MIXER)

    def mix(self, number=MIXER):
        return self.on.mix(number)

    def text(self):
        return self.on.value(MIXER, "mix")

    def pick(self, category, concept):
        self.picker(category).select_option(concept)

    def picker(self, category):
        return self.row(category).get_by_role("combobox", name=category, exact=True)

    def slider(self, category="hair"):
        return self.row(category).get_by_role("slider")

    def press(self, category, button):
        self.row(category).get_by_role("button", name=button, exact=button == category).click()

    def now(self, category="hair"):
        return self.row(category).locator(".supsae-now").inner_text()

    def verdict(self, category="hair"):
        """Return what a row says of its edit, None if it says nothing."""
        sign = self.row(category).locator(".supsae-took")
        return sign.get_attribute("aria-label") if sign.is_visible() else None

    def does(self, script, *values):
        """Run JavaScript that knows the graph, and the values as `given`."""
        return self.page.evaluate(f"(given) => {{ const app = window.app, graph = app.graph; {script} }}", [*values])

    def note(self, text):
        """Wait until the panel's note says something."""
        self.page.locator(".supsae-mixer .supsae-note").filter(has_text=text).wait_for()
