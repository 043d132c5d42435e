"""For which encoders a file is, and which the wires bring, in a real browser, before anything runs."""

import json
from pathlib import Path

import pytest
from mixer_page import FILE, LOADER, Mixer, workflow
from page import RENDERERS
from shelf_files import write_header, write_krea, write_qwen3

ROOT = Path(__file__).resolve().parents[3]
OUTER = 3  # the subgraph's node in the blueprint
ENCODE = 3  # the prompt in `workflow`
FLUX, Z_IMAGE, QWEN = "painters.safetensors", "quick.safetensors", "qwen.safetensors"
IS_PORTRAITS = "This file is for Portraits; the prompt comes from"
WIRE = """const [type, kind, lora] = given, encode = graph.getNodeById(3);
    let from = LiteGraph.createNode(type), slot = from.outputs.findIndex((one) => one.type === "CLIP");
    from.pos = [20, 520];
    graph.add(from);
    if (kind) from.widgets.find((one) => one.name === "type").value = kind;
    if (kind) from.widgets[0].value = "gone.safetensors";
    if (lora) {
        const changed = LiteGraph.createNode("LoraLoader");
        graph.add(changed);
        from.connect(slot, changed, changed.inputs.findIndex((one) => one.name === "clip"));
        [from, slot] = [changed, 1];
    }
    from.connect(slot, encode, encode.inputs.findIndex((one) => one.name === "clip"));"""
"""Wire the prompt to another loader of a type, through a LoRA if asked."""


@pytest.fixture
def files(frontend):
    """Dictionaries for FLUX.1 and Z-Image on the shelf, and an encoder that is Z-Image's."""
    shelf, encoders = (frontend.base / "models" / name for name in ("supsae", "text_encoders"))
    for folder in (shelf, encoders):
        folder.mkdir(parents=True, exist_ok=True)
    write_header(shelf / FLUX, "flux")
    write_header(shelf / Z_IMAGE, "z-image")
    write_qwen3(encoders / QWEN, 2560)
    yield
    for file in (shelf / FLUX, shelf / Z_IMAGE, encoders / QWEN):
        file.unlink()


@pytest.fixture(params=RENDERERS)
def wired(request, comfy_page, files):
    """Return the page of `workflow`, both of whose panels are on the screen."""
    found = Mixer(comfy_page(**{"Comfy.VueNodes.Enabled": RENDERERS[request.param]}))
    made = workflow()
    made["nodes"][0]["pos"] = [20, -400]  # its panel grows
    found.on.load(made)
    found.does("graph.getNodeById(1).widgets[0].options.values = [...given]", FILE, FLUX)
    found.on.show(LOADER)
    return found


def says(found, kind):
    """Return the lines above a panel's content, once they are there."""
    return found.page.locator(f".supsae-fitting{kind}")


IN_LOADER, IN_MIXER = ":not(.supsae-mixer *)", ":is(.supsae-mixer *)"


def wire(found, *given):
    found.does(WIRE, *given)
    found.on.changed()


@pytest.mark.every_frontend
def test_a_file_says_for_whom_it_is_and_which_other_fits(wired):
    lines = says(wired, IN_LOADER)
    lines.get_by_text("For Portraits.", exact=True).wait_for()
    assert lines.inner_text() == "For Portraits." and not says(wired, IN_MIXER).is_visible()
    wire(wired, "DualCLIPLoader", "flux", "through a LoRA")
    said = f"{IS_PORTRAITS} FLUX.1's encoders."
    lines.get_by_text(said).wait_for()
    says(wired, IN_MIXER).get_by_text(said).wait_for()
    assert says(wired, IN_MIXER).get_by_role("button").count() == 0  # it is chosen where the file is
    lines.get_by_role("button", name=FLUX).click()
    lines.get_by_text("For FLUX.1.", exact=True).wait_for()
    assert wired.on.value(LOADER, "name") == FLUX and lines.inner_text() == "For FLUX.1."
    says(wired, IN_MIXER).wait_for(state="hidden")
    wired.on.command("Comfy.Undo")
    lines.get_by_text(said).wait_for()


WIRES = {
    # what the prompt is wired to: what is said of it where that is not Portraits' own
    "another type": (("DualCLIPLoader", "sdxl"), f"{IS_PORTRAITS} SDXL, Illustrious and Pony's encoders."),
    "three encoders": (("TripleCLIPLoader",), f"{IS_PORTRAITS} Stable Diffusion 3 and 3.5's encoders."),
    "several": (("CLIPLoader", "lumina2"), f"{IS_PORTRAITS} CLIPLoader, lumina2, which loads other encoders."),
    "unknown to us": (("CLIPLoader", "wan"), f"{IS_PORTRAITS} CLIPLoader, wan, which loads other encoders."),
    "a checkpoint that is not there": (("CheckpointLoaderSimple",), None),
    "an unknown type": (("CLIPLoader", "new in 2030"), None),
    "its own": (("SupSAE_LoadPortraitsCLIP",), None),
}


@pytest.mark.parametrize("wired", ["classic"], indirect=True)
@pytest.mark.parametrize("case", WIRES)
def test_only_what_is_sure_is_said(wired, case):
    given, said = WIRES[case]
    wire(wired, "DualCLIPLoader", "flux")
    lines = says(wired, IN_LOADER)
    lines.get_by_text(f"{IS_PORTRAITS} FLUX.1's encoders.").wait_for()
    wire(wired, *given)
    lines.get_by_text("FLUX.1's").wait_for(state="hidden")
    assert lines.locator(".supsae-wrong").all_inner_texts() == ([said] if said else [])


@pytest.mark.parametrize("wired", ["classic"], indirect=True)
def test_cliploader_goes_by_its_file(wired):
    wire(wired, "CLIPLoader", "qwen_image")
    wired.does("graph.nodes.find((one) => one.type === 'CLIPLoader').widgets[0].value = given[0]", QWEN)
    wired.on.changed()
    lines = says(wired, IN_LOADER)
    lines.get_by_text(f"{IS_PORTRAITS} Z-Image's encoders.").wait_for()
    lines.get_by_role("button", name=Z_IMAGE).click()
    lines.get_by_text("For Z-Image.", exact=True).wait_for()
    assert lines.inner_text() == "For Z-Image."


@pytest.mark.parametrize("wired", ["classic"], indirect=True)
def test_a_checkpoint_goes_by_its_file(frontend, wired):
    folder = frontend.base / "models" / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    write_krea(folder / "krea.safetensors")
    wire(wired, "CheckpointLoaderSimple")
    wired.does("graph.nodes.find((one) => one.type === given[0]).widgets[0].value = given[1]",
               "CheckpointLoaderSimple", "krea.safetensors")  # fmt: skip
    wired.on.changed()
    says(wired, IN_LOADER).get_by_text(f"{IS_PORTRAITS} Krea 2's encoders.").wait_for()
    (folder / "krea.safetensors").unlink()


@pytest.mark.parametrize("wired", ["classic"], indirect=True)
def test_the_wires_are_followed_into_a_subgraph(wired):
    wire(wired, "DualCLIPLoader", "flux")
    wired.does("graph.convertToSubgraph(new Set([3, 4].map((id) => graph.getNodeById(id))))")
    wired.on.changed()
    wired.on.show(LOADER)
    says(wired, IN_LOADER).get_by_text(f"{IS_PORTRAITS} FLUX.1's encoders.").wait_for()
    wired.on.load(workflow())


@pytest.mark.every_frontend
def test_the_blueprint_says_for_whom_its_file_is(wired):
    wired.on.load(json.loads((ROOT / "subgraphs/Edit by concepts.json").read_text(encoding="utf-8")))
    wired.on.show(OUTER)
    lines = says(wired, IN_MIXER).filter(visible=True)  # the one inside is not shown
    lines.get_by_text("For Portraits.", exact=True).wait_for()
    wired.does(
        """const loader = LiteGraph.createNode("DualCLIPLoader"), prompt = LiteGraph.createNode("CLIPTextEncode");
        const outer = graph.getNodeById(3);
        loader.pos = [-800, 0];
        prompt.pos = [-500, 0];
        graph.add(loader);
        graph.add(prompt);
        loader.widgets.find((one) => one.name === "type").value = "flux";
        loader.connect(0, prompt, prompt.inputs.findIndex((one) => one.name === "clip"));
        prompt.connect(0, outer, outer.inputs.findIndex((one) => one.name === "conditioning"));"""
    )
    wired.on.changed()
    lines.get_by_text(f"{IS_PORTRAITS} FLUX.1's encoders.").wait_for()
    lines.get_by_role("button", name=FLUX).click()
    lines.get_by_text("For FLUX.1.", exact=True).wait_for()
    assert wired.on.value(OUTER, "name") == FLUX
    sent = wired.page.evaluate("async () => (await window.app.graphToPrompt()).output")
    loaders = [one for one in sent.values() if one["class_type"] == "SupSAE_LoadDictionary"]
    assert [one["inputs"]["name"] for one in loaders] == [FLUX]
