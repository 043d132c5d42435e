"""The templates of families whose weights are not here: whole but for their files, with the loader of the family."""

import json
import re
from pathlib import Path

import pytest
import workflow as workflows

from supsae.supsae_core.encoders.families import FAMILIES

ROOT = Path(__file__).resolve().parents[3]
TITLES = {
    "FLUX.1": "flux", "SDXL": "sdxl", "Chroma": "chroma", "Z-Image": "z-image", "Qwen-Image": "qwen-image",
    "FLUX.2 Klein 4B": "klein-4b", "FLUX.2 Klein 9B": "klein-9b", "Krea 2": "krea-2",
}  # fmt: skip
"""Title of a template → its family."""


def load(title: str) -> dict:
    return json.loads((ROOT / "example_workflows" / f"{title} - learn and edit.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("title", TITLES)
def test_it_lacks_its_files_alone(comfy_server, title):
    workflow = load(title)
    graphs = [workflow, *workflow["definitions"]["subgraphs"]]
    files = [one for graph in graphs for node in graph["nodes"] for one in node["properties"].get("models", [])]
    with pytest.raises(RuntimeError) as refused:
        comfy_server.queue(workflows.to_api(workflow, comfy_server.object_info()))
    _, *errors = str(refused.value).splitlines()
    assert sorted(re.findall(r"'([^']+)' not in", "\n".join(errors))) == sorted(one["name"] for one in files)
    assert len(errors) == len(files) in (1, 3, 4)  # a checkpoint; a model, one or two text encoders, and a VAE
    (note,) = (node["widgets_values"][0] for node in workflow["nodes"] if node["type"] == "MarkdownNote")
    assert f"Never run with {title}'s weights" in note
    for one in files:
        assert f"`{one['name']}` into `models/{one['directory']}`" in note and one["url"].endswith(f"/{one['name']}")


FIND = """async () => {
    const { loadersBehind } = await import("/extensions/ComfyUI-SupSAE/js/loaders.js");
    return loadersBehind(window.app.graph.nodes.find((one) => one.type === "SupSAE_ConceptMixer"));
}"""


@pytest.mark.parametrize("title", TITLES)
def test_its_loader_is_that_of_the_family(comfy_page, title):
    """As the panels find it, through the subgraph of the loaders."""
    page, family = comfy_page(), TITLES[title]
    page.load(load(title))
    (found,) = page.page.evaluate(FIND)
    assert family in FAMILIES and family in found["usual"]
