"""Where else a Concept Mixer's panel stands, in a real browser: the app mode, subgraphs, the blueprint, on a model."""

import json
from pathlib import Path

import pytest
from mixer_page import FILE, MIXER, RED, Mixer, workflow
from page import RENDERERS

from supsae.supsae_core.table.parsing import parse_table

ROOT = Path(__file__).resolve().parents[3]
OUTER = 3  # the subgraph's node in the blueprint


@pytest.mark.parametrize("vue", RENDERERS.values(), ids=RENDERERS)
def test_the_app_mode_has_the_panel_too(open_mixer, vue):
    found = open_mixer(RED, vue, linearData={"inputs": [[str(MIXER), "mix"]], "outputs": ["5"]})
    found.on.command("Comfy.ToggleLinear")
    tour = found.page.get_by_role("button", name="Skip")  # a newer frontend offers one the first time
    found.page.add_locator_handler(tour, lambda: tour.click())
    found.page.locator(".supsae-mixer:visible").wait_for()
    found.pick("hair", "say:blue")
    assert found.mix()["hair"] == {"say": "blue", "strength": 0.8}
    found.on.command("Comfy.ToggleLinear")
    found.show()
    assert found.picker("hair").input_value() == "say:blue"
    found.page.remove_locator_handler(tour)


def test_a_subgraph_keeps_the_mix_and_finds_the_dictionary_outside(open_mixer):
    found = open_mixer(RED)
    value = found.does(
        """const { subgraph } = graph.convertToSubgraph(new Set([graph.getNodeById(4)])); app.canvas.setGraph(subgraph);
        const inner = subgraph.nodes.find((one) => one.type === "SupSAE_ConceptMixer");
        return inner.widgets.find((w) => w.name === 'mix').value;"""
    )
    assert json.loads(value)["mix"] == RED
    found.on.frames(5)
    found.on.changed()
    found.row("background").wait_for()  # only the dictionary, which stands outside, knows of it
    found.does("app.canvas.setGraph(graph.rootGraph ?? graph)")
    found.run()


@pytest.mark.parametrize("vue", RENDERERS.values(), ids=RENDERERS)
def test_the_blueprint_s_panel_stands_outside_and_its_value_survives(comfy_page, vue):
    found = Mixer(comfy_page(**{"Comfy.VueNodes.Enabled": vue}))
    found.on.load(json.loads((ROOT / "subgraphs/Edit by concepts.json").read_text(encoding="utf-8")))
    found.on.show(OUTER)
    found.pick("hair", "say:red")
    assert found.mix(OUTER) == {"hair": {"say": "red", "strength": 1}}
    found.on.load(json.loads(json.dumps(found.on.workflow())))
    found.on.show(OUTER)
    assert found.mix(OUTER) == {"hair": {"say": "red", "strength": 1}}
    assert found.picker("hair").input_value() == "say:red"
    found.does("graph.remove(graph.getNodeById(given[0]))", OUTER)
    found.on.frames()
    assert found.row("hair").count() == 0


def test_on_a_model_the_panel_hears_what_the_prompt_says_while_it_draws(comfy_page):
    found = Mixer(comfy_page())
    found.on.load(json.loads((ROOT / "example_workflows" / "Edit a portrait.json").read_text(encoding="utf-8")))
    mixer = found.does(
        """const of = (type) => graph.nodes.filter((one) => one.type === type);
        const [mixer] = of("SupSAE_ConceptMixer"), [prompt] = of("CLIPTextEncode");
        const portraits = graph.nodes.find((one) => one.outputs?.some((output) => output.name === "latent"));
        const slot = (node, name) => node.inputs.findIndex((one) => one.name === name);
        const add = (type) => graph.add(LiteGraph.createNode(type)) ?? graph.nodes.at(-1);
        const [sampler, decoder, preview] = ["KSampler", "VAEDecode", "PreviewImage"].map(add);
        const wire = (from, output, to, input) => from.connect(
            from.outputs.findIndex((one) => one.name === output), to, slot(to, input));
        sampler.widgets.find((one) => one.name === "steps").value = 2;
        mixer.disconnectInput(slot(mixer, "conditioning"));
        for (const drawn of graph.nodes.filter((one) => one.title.startsWith("Draw twice"))) graph.remove(drawn);
        for (const compared of of("SupSAE_ComparePictures")) graph.remove(compared);
        wire(portraits, "model", mixer, "model");
        wire(mixer, "model", sampler, "model");
        wire(prompt, "CONDITIONING", sampler, "positive");
        wire(portraits, "negative", sampler, "negative");
        wire(portraits, "latent", sampler, "latent_image");
        wire(sampler, "LATENT", decoder, "samples");
        wire(portraits, "VAE", decoder, "vae");
        wire(decoder, "IMAGE", preview, "images");
        return mixer.id;"""
    )
    found.run()
    found.on.show(mixer)
    assert found.now() == "blond → red"


HOSTILE = [
    "<img src=x onerror='window.hacked=1'>", "<script>window.hacked=1</script>", "\u202eevil", "{{hacked}}", "a\u0000b",
]  # fmt: skip
"""Names as a dictionary from a stranger may have them."""
SHOW = """([number, names]) => {
    const graph = window.app.graph, tell = (node, output) => node.onExecuted(output);
    const said = Object.fromEntries(names.map((one) => [one, [one]]));
    const verdicts = Object.fromEntries(names.map((one) => [one, {verdict: "weak", reason: one}]));
    const categories = names.map((name) => (
        {name, identified: true, concepts: names.map((one) => ({name: one, says: one, warning: one}))}));
    tell(graph.getNodeById(number), {supsae_mixer: [{categories, safe: [0, 1.5], mix: {}, left_out: {},
        prompts: [{before: said, after: said, held: {}, verdicts}]}]});
    const add = (type, output) => {
        const node = LiteGraph.createNode(type);
        graph.add(node);
        tell(node, output);
        return node.id;
    };
    const cells = [names, names];
    const report = {version: 1, level: "good", verdict: names.join("\\n"), text: names.join(),
        sections: [{title: names[0], head: names, rows: cells}]};
    const seen = names.map((name) => ({category: name, before: name, after: "x"}));
    add("SupSAE_EvaluateDictionary", {supsae_report: [report]});
    add("SupSAE_ComparePictures", {supsae_compared: [{version: 1, changed: 0.5, seen}],
        images: [{filename: names[0], subfolder: "", type: "temp"}, {filename: "x", subfolder: "", type: "temp"}]});
}"""


@pytest.mark.every_frontend
def test_names_of_strangers_are_shown_as_text(open_mixer):
    found = open_mixer()
    found.page.evaluate(SHOW, [MIXER, HOSTILE])
    found.row(HOSTILE[0]).wait_for()
    made = found.page.evaluate(
        "() => [...document.querySelectorAll('.supsae')].flatMap((one) => [...one.querySelectorAll('*')])"
        ".filter((one) => ['SCRIPT', 'IFRAME'].includes(one.tagName) || one.hasAttribute('onerror')).length"
    )
    assert made == 0 and found.page.evaluate("() => window.hacked") is None
    found.on.expected.append("/view")  # a picture that there is not


SEEN = """(seen) => {
    const node = LiteGraph.createNode("SupSAE_ComparePictures");
    window.app.graph.add(node);
    node.onExecuted({supsae_compared: [{version: 1, changed: 0.5, seen}],
        images: [{filename: "a", subfolder: "", type: "temp"}, {filename: "b", subfolder: "", type: "temp"}]});
}"""
HAIR, HAT = ["blond", "red", "black", "blue"], ["none", "crown", "top hat", "beanie"]
EYES = {
    "shown": ({"say": "red"}, ("hair", "blond", "red", HAIR), "The picture shows it: red"),
    "not shown": ({"say": "red"}, ("hair", "blond", "blond", HAIR), "The picture shows blond"),
    "a name of two words": ({"say": "top hat"}, ("hat", "none", "top hat", HAT), "The picture shows it: top hat"),
    "nothing there": ({"say": "none"}, ("hat", "crown", "crown", HAT), "The picture shows crown"),
    "no value of the reader": ({"say": "golden"}, ("hair", "red", "blond", HAIR), "In the picture: red → blond"),
    "unasked": (None, ("hair", "blond", "red", HAIR), "Changed in the picture though nobody asked: blond → red"),
    "as it was": (None, ("hair", "blond", "blond", HAIR), None),
}
"""Row of the mix, what a reader saw (category, before, after, its values) → what the row's eye says."""


def test_a_row_s_eye_says_what_the_picture_shows(open_mixer):
    found = open_mixer()
    found.on.expected.append("/view")  # pictures that there are not
    for name, (row, (category, before, after, values), said) in EYES.items():
        found.load({category: {**row, "strength": 1}} if row else {"clothing": {"say": "suit", "strength": 1}})
        found.run()
        seen = {"category": category, "before": before, "after": after, "values": values}
        found.page.evaluate(SEEN, [seen])
        eye = found.row(category).locator(".supsae-picture")
        told = None if eye.is_hidden() else eye.get_attribute("title")
        assert (told or "").startswith(said or "") and (told is None) == (said is None), name


def test_what_is_cached_may_come_in_any_order(open_mixer):
    found = open_mixer(RED)
    found.on.expected.append("/view")  # pictures that there are not
    outputs = found.run()
    seen = {"category": "hair", "before": "blond", "after": "red", "values": HAIR}
    eye = found.row("hair").locator(".supsae-picture")
    found.page.evaluate(SEEN, [seen])
    found.does("graph.getNodeById(given[0]).onExecuted(given[1])", MIXER, outputs[str(MIXER)])
    assert eye.is_visible() and eye.get_attribute("title").startswith("In the picture: blond → red")
    found.run()  # nobody looks at its pictures
    assert eye.is_hidden()


WORDS = {
    "hair": {"red": ["red hair", "ginger hair"], "blond": ["blond hair"]},
    "hat": {"none": ["no hat"], "crown": ["a crown"]},
}


@pytest.mark.parametrize("vue", RENDERERS.values(), ids=RENDERERS)
def test_a_workflow_carries_the_words_of_its_dictionary(open_mixer, vue):
    found = open_mixer(RED, vue)
    kept = "graph.getNodeById(1).properties.supsae_words"
    found.page.wait_for_function(f"window.app.{kept}?.words?.hair")
    assert found.does(f"return {kept}.words.hair.red")[0] == "red hair"
    (loader,) = [one for one in found.on.workflow()["nodes"] if one["type"] == "SupSAE_LoadDictionary"]
    assert loader["properties"]["supsae_words"]["name"] == FILE


def test_a_friend_who_lacks_the_file_learns_its_words_again(comfy_page):
    found = Mixer(comfy_page(**{"Comfy.VueNodes.Enabled": True}))
    shared = workflow(json.dumps({"version": 1, "mix": RED}), "friends.safetensors")
    shared["nodes"][0]["pos"] = [-500, 20]  # beside the others
    shared["nodes"][0]["properties"] = {"supsae_words": {"name": "friends.safetensors", "words": WORDS}}
    found.on.expected.append("friends.safetensors")  # it is not there
    found.on.load(shared)
    found.on.show(1)
    found.page.get_by_text("hair: red, blond; hat: none, crown").wait_for()
    assert found.page.get_by_role("button", name="Download").is_disabled()
    found.page.get_by_role("button", name="Learn it again").click()
    nodes = {one["type"]: one for one in found.on.workflow()["nodes"]}
    assert "SupSAE_LoadDictionary" not in nodes and nodes["SupSAE_Capture"]["widgets_values"][0] == "friends"
    assert parse_table(nodes["SupSAE_ConceptTable"]["widgets_values"][0]).to_json() == WORDS
    found.does(
        "const { widgets } = graph.nodes.find((one) => one.type === 'SupSAE_Capture');"
        " for (const one of widgets) one.value = { prompts: 80, calibration: 8 }[one.name] ?? one.value"
    )
    found.run()
    found.show()
    assert found.now() == "blond → red" and found.now("hat") == "none"
