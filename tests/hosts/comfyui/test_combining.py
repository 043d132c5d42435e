"""Two dictionaries in one mixer, in a real server: as they are learnt, loaded, drawn with and saved."""

from io import BytesIO
from urllib.parse import urlencode

import pytest
import torch
from api_workflows import DICTIONARY, combining, poles
from PIL import Image

from supsae.portraits.paths import DICTIONARY as SHIPPED
from supsae.portraits.reader import load_reader
from supsae.supsae_core.dictionary.file import load_dictionary

HAIR, EYES = poles("blond hair", "red hair"), poles("green eyes", "blue eyes")


def read(server, outputs):
    """Return what Portraits' reader sees in the picture of a run."""
    (image,) = outputs["picture"]["images"]
    shown = Image.open(BytesIO(server.request(f"/view?{urlencode(image)}"))).convert("RGB")
    pixels = torch.frombuffer(bytearray(shown.tobytes()), dtype=torch.uint8).reshape(128, 128, 3)
    return load_reader().read(pixels.permute(2, 0, 1)[None] / 255)[0]


@pytest.mark.parametrize("swapped", [False, True])
def test_two_quick_concepts_are_mixed_at_once(swapped, comfy_server):
    mix = {"blond or red": {"say": "red hair"}, "green or blue": {"say": "blue eyes"}}
    some = (EYES, HAIR) if swapped else (HAIR, EYES)
    outputs = comfy_server.run(combining(*some, mix))
    told = outputs["combine"]["supsae_told"][0].splitlines()
    assert told == [
        "One dictionary of 4 concepts in 2 categories, made of 2 and 2.",
        "The 'other things' of a quick concept help it to read; they are no concepts of the whole.",
    ]
    changed = outputs["shown"]["text"][0].splitlines()[1]
    assert "blond or red: blond hair to blond or red: red hair (strength 1)" in changed
    assert "green or blue: green eyes to green or blue: blue eyes (strength 1)" in changed
    seen = read(comfy_server, outputs)
    assert (seen["hair"], seen["eyes"]) == ("red", "blue")


def test_a_quick_concept_stands_beside_a_learnt_dictionary(comfy_server):
    """The learnt one knows "blond hair" in its own sense; either is changed by itself, and the whole is saved."""
    flow = combining(DICTIONARY, HAIR, {"hair": {"say": "black"}, "hat": {"say": "crown"}})
    flow["combine"]["inputs"] |= {"save": "in models/supsae", "save.name": "whole", "save.overwrite": True}
    outputs = comfy_server.run(flow)
    told = outputs["combine"]["supsae_told"][0].splitlines()
    assert "'red hair' means hair: red in the first and blond or red: red hair in the second." in told
    assert told[-1] == "Saved in models/supsae as whole.safetensors."
    seen = read(comfy_server, outputs)
    assert (seen["hair"], seen["hat"]) == ("black", "crown")
    there = load_dictionary(next(comfy_server.base.rglob("whole.safetensors")))
    assert [*there.table.categories] == [*load_dictionary(SHIPPED).table.categories, "blond or red"]
