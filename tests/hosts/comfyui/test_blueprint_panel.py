"""The blueprint in a real browser: the mixer's panel stands on the subgraph's node, and its value is the subgraph's."""

import json
from pathlib import Path

import pytest
from page import RENDERERS

ROOT = Path(__file__).resolve().parents[3]
OUTER = 3  # the subgraph's node in the blueprint


@pytest.mark.parametrize("vue", RENDERERS.values(), ids=RENDERERS)
def test_the_panel_stands_outside_and_its_value_survives(comfy_page, vue):
    blueprint = json.loads((ROOT / "subgraphs/Edit by concepts.json").read_text(encoding="utf-8"))
    found = comfy_page(**{"Comfy.VueNodes.Enabled": vue})
    found.load(blueprint)
    found.show(OUTER)
    found.row("hair").get_by_role("combobox").select_option("say:red")
    assert found.mix(OUTER) == {"hair": {"say": "red", "strength": 1}}
    saved = json.loads(found.page.evaluate("() => JSON.stringify(window.app.graph.serialize())"))
    found.load(saved)
    found.show(OUTER)
    assert found.mix(OUTER) == {"hair": {"say": "red", "strength": 1}}
    assert found.row("hair").get_by_role("combobox").input_value() == "say:red"
    found.page.evaluate("(id) => window.app.graph.remove(window.app.graph.getNodeById(id))", OUTER)
    found.frames()
    assert found.row("hair").count() == 0
