"""A workflow that carries its dictionary, in a real browser: put in, saved, opened where the file is missing, used."""

import base64
import hashlib
import json
from dataclasses import replace
from itertools import count

import pytest
from mixer_page import LOADER, RED, Mixer, workflow
from page import RENDERERS
from shelf_files import SHIPPED

from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary
from supsae.supsae_core.dictionary.light import MOST, is_light, light_forms

NUMBERS = count()
KEY = "supsae_file"
ODD = ({"data": "<b>"}, {"bytes": 10**9}, {"sha256": None}, {"name": 1})
"""What is no file as a workflow carries one."""
MIX = json.dumps({"version": 1, "mix": RED})


@pytest.fixture(params=RENDERERS)
def mixer(request, comfy_page):
    found = Mixer(comfy_page(**{"Comfy.VueNodes.Enabled": RENDERERS[request.param]}))
    found.on.expected += ["supsae/dictionary", "supsae/upload"]  # the browser itself reports what is refused
    return found


@pytest.fixture
def file(comfy_server):
    """A dictionary that a friend lacks, as large as what ships, under a name that no page knows; gone at the end."""
    found = comfy_server.base / "models" / "supsae" / f"{next(NUMBERS)}-gone.safetensors"
    found.parent.mkdir(parents=True, exist_ok=True)
    found.write_bytes(SHIPPED.read_bytes())
    yield found
    found.unlink(missing_ok=True)


def loaded(mixer, saved):
    mixer.on.load(saved)
    mixer.on.show(LOADER)


def opened(mixer, saved):
    """Open a workflow in a fresh page, which knows nothing of files that were there before."""
    mixer.on.open()
    loaded(mixer, saved)


def box(mixer):
    return mixer.page.get_by_role("checkbox", name="Carry")


def kept(saved):
    (node,) = [one for one in saved["nodes"] if one["id"] == LOADER]
    return node["properties"].get(KEY)


def with_room(name):
    """Return a workflow with a mixer whose loader, of a file, stands apart: its panel grows."""
    made = workflow(MIX, name)
    next(one for one in made["nodes"] if one["id"] == LOADER)["pos"] = [-500, 20]
    return made


def carrying(mixer, file):
    """Put the file into the workflow by its box; return the workflow as it is saved."""
    mixer.on.command("Comfy.RefreshNodeDefinitions")  # the file is new to the page
    loaded(mixer, with_room(file.name))
    assert kept(mixer.on.workflow()) is None and not box(mixer).is_checked()
    box(mixer).check()
    mixer.page.get_by_text("Carried: ").wait_for()
    return mixer.on.workflow()


def make_small(file):
    """Write what a small table's dictionary is: it does not say that it is light."""
    *_, small = light_forms(load_dictionary(SHIPPED), 1)
    save_dictionary(replace(small, provenance={}), file)


def test_who_lacks_the_file_edits_with_the_one_in_the_workflow(mixer, file):
    saved = carrying(mixer, file)
    put = kept(saved)
    content = base64.b64decode(put["data"])
    assert put["name"] == file.name and put["light"] and put["size"] == SHIPPED.stat().st_size
    assert len(content) == put["bytes"] <= MOST and hashlib.sha256(content).hexdigest() == put["sha256"]
    mixer.page.get_by_text("a light form. Its edits are less exact").wait_for()
    file.unlink()
    opened(mixer, saved)
    mixer.page.get_by_role("button", name="Learn it again").wait_for()
    mixer.page.get_by_role("button", name="Use the one in this picture (light form)").click()
    mixer.page.get_by_text("28 concepts: background, hair").filter(has_text="This file is a light form.").wait_for()
    assert file.read_bytes() == content and is_light(load_dictionary(file).provenance)
    assert (
        mixer.on.value(LOADER, "name") == file.name and kept(mixer.on.workflow())["data"] == put["data"]
    )  # for the next
    assert not mixer.does(
        "return graph.getNodeById(given[0]).has_errors", LOADER
    )  # the frontend's mark of a missing file
    outputs = mixer.run()
    assert "hair: red" in outputs["5"]["text"][0]
    mixer.page.get_by_text("A light form: its edits are less exact").first.wait_for()


def test_a_small_dictionary_is_carried_whole_and_another_choice_drops_it(mixer, file):
    make_small(file)
    put = kept(carrying(mixer, file))
    assert base64.b64decode(put["data"]) == file.read_bytes() and put["light"] is False
    mixer.page.get_by_text("the whole dictionary").wait_for()
    mixer.does("const w = graph.getNodeById(1).widgets[0]; w.value = given[0]; w.callback?.(w.value);", SHIPPED.name)
    mixer.page.wait_for_function("!app.graph.getNodeById(1).properties.supsae_file")
    assert not box(mixer).is_checked()


def test_what_was_changed_on_the_way_is_not_used(mixer, file):
    make_small(file)
    saved = carrying(mixer, file)
    put = kept(saved)
    file.unlink()
    (node,) = [one for one in saved["nodes"] if one["id"] == LOADER]
    other = ("BBBB" if put["data"].startswith("AAAA") else "AAAA") + put["data"][4:]
    node["properties"][KEY] = put | {"data": other}
    opened(mixer, saved)
    mixer.page.get_by_role("button", name="Use the one in this picture").click()
    mixer.page.get_by_text("What the workflow carries was changed or cut off").wait_for()
    for odd in (5, *(put | one for one in ODD)):
        node["properties"][KEY] = odd
        loaded(mixer, saved)
        mixer.page.get_by_role("button", name="Learn it again").wait_for()
        assert mixer.page.get_by_role("button", name="Use the one in this picture").count() == 0
    assert not file.exists()
