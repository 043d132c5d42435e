"""What files, workflows and command lines of other people name: promised for ever from the first release on.

``promises.json`` only grows. Nodes and their inputs are held against it in a real ComfyUI (tests/hosts/comfyui).
"""

import json
from pathlib import Path

import pytest

from supsae.cli.parser import COMMANDS
from supsae.evaluation.pictures.parts import SIZES
from supsae.hosts.comfyui import saved_conditioning
from supsae.supsae_core.capture import activations, plan
from supsae.supsae_core.dictionary import file
from supsae.supsae_core.editing import mix_text
from supsae.supsae_core.editing.edits import ACTIONS
from supsae.supsae_core.encoders.families import FAMILIES
from supsae.supsae_core.encoders.sites import parse_sites
from supsae.training.solvers.table import SOLVERS

PROMISED = json.loads((Path(__file__).parent / "promises.json").read_text(encoding="utf-8"))
FOUND = {
    "formats": {
        "dictionary": file.FORMAT_VERSION,
        "capture": plan.FORMAT_VERSION,
        "activations": activations.FORMAT_VERSION,
        "mix": mix_text.VERSION,
        "conditioning": saved_conditioning.FORMAT_VERSION,
    },
    "solvers": sorted(SOLVERS),
    "families": sorted(FAMILIES),
    "commands": sorted(COMMANDS),
    "sizes": sorted(SIZES),
    "actions": sorted(ACTIONS),
}


@pytest.mark.parametrize("what", FOUND)
def test_promises_are_kept(what):
    assert FOUND[what] == PROMISED[what]


def test_sites_are_spelled_as_files_have_them():
    assert [str(site) for site in parse_sites(", ".join(PROMISED["sites"]))] == PROMISED["sites"]
