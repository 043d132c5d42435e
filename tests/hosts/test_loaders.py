"""What errors advise to load a family's encoders with is what the table of loaders says that loads them."""

import re

import pytest

from supsae.hosts.comfyui.loaders import BY_FILE, LOADERS, family_by_file, may_load, title_of
from supsae.supsae_core.encoders.families import FAMILIES

ADVISED = {name: re.findall(r"(\w*CLIPLoader)(?:, type (\w+))?", one.loader) for name, one in FAMILIES.items()}
"""Family → (node, type) as its errors spell them."""


@pytest.mark.parametrize("name", [name for name, advised in ADVISED.items() if advised])
def test_the_advised_loader_is_set_for_the_family(name):
    for node, kind in ADVISED[name]:
        assert name in LOADERS[node][kind]


def test_the_table_names_families_that_there_are():
    named = {name for kinds in LOADERS.values() for some in kinds.values() for name in some}
    held = {name for kinds in BY_FILE.values() for name in kinds.values() if name}
    assert held <= named <= set(FAMILIES) and len(named) == 10  # all but diffusers' SD3 and MiniLM
    assert title_of(FAMILIES["minilm"]) == "minilm"


def test_cliploader_goes_by_the_file_where_comfyui_does():
    # comfy/sd.py: Qwen3-4B is Klein's for flux2 and Z-Image's else; Qwen2.5-VL-7B and Qwen3-8B do not look at it
    assert may_load("CLIPLoader", "lumina2") == ("z-image", "klein-9b", "qwen-image")
    assert may_load("CLIPLoader", "flux2") == ("klein-4b", "klein-9b", "qwen-image")
    assert may_load("DualCLIPLoader", "flux") == ("flux",)
    assert family_by_file("QWEN3_4B", "stable_diffusion") == "z-image"  # what many leave it at
    assert family_by_file("QWEN25_7B", "longcat_image") is family_by_file("GEMMA_2_2B", "lumina2") is None
