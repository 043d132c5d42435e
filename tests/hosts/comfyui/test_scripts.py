"""What is asked of the pack inside ComfyUI's interpreter: each script says itself what it expects."""

import pytest

PORTRAITS = [
    "combined_seen", "conditioning_edited", "conditioning_encoded", "conditioning_folders", "conditioning_saved",
    "evaluate_refused", "evaluate_run", "lock_cached", "lock_lazy", "lock_samplers", "lock_settings", "lock_several",
    "lock_steered", "lock_told", "mixer_mixed", "mixer_parts", "mixer_prompts", "see_audited", "see_calibrated",
    "see_compared", "see_likened", "see_mapped", "see_masses", "see_patched", "see_read", "steering_compiled",
    "steering_edits", "steering_streams", "text_hosts",
]  # fmt: skip
SD3 = [
    "activations_sd35", "checkpoint_families", "family_layouts", "loader_families", "lock_models", "sd3_layouts",
    "sd3_models", "sd3_rewritten", "sd3_rules",
]  # fmt: skip
"""SD3.5's text behind the real tokenizers, which ship inside ComfyUI; with random weights."""
FAMILIES = ["flux", "sdxl", "chroma", "z-image", "qwen-image", "klein-4b", "krea-2"]
"""Other models', the same way; Klein 9B differs from 4B in its numbers alone."""


CHECKED = ["portraits", "sdxl", "qwen-image", "mage-flow"]
"""What Check Model is run on: a model that works, pads and none, and encoders that were loaded for another model."""
BLOCKS = ["flux", "chroma", "qwen-image", "klein-4b", "z-image", "krea-2"]
"""Whose blocks are patched where SD3's are, and the last two's whose blocks ComfyUI has no patches for."""


@pytest.mark.parametrize("script", [*PORTRAITS, *SD3])
def test_script_finds_what_it_expects(comfy_python, script):
    comfy_python(script)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_goes_all_the_way(comfy_python, name):
    comfy_python("family_edited", name)


@pytest.mark.parametrize("name", CHECKED)
def test_a_model_is_checked(comfy_python, name):
    comfy_python("model_checked", name)


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_are_heard_steered_and_captured(comfy_python, name):
    comfy_python("family_blocks", name)


# --- the interpreter itself ----------------------------------------------------------------------------------------


def test_what_a_script_does_not_find_fails_and_leaves_no_traces(comfy_python):
    seen = comfy_python("both_worlds", "hello")
    assert seen["device"] == "cpu" and seen["arguments"] == ["hello"]
    assert seen["files"][0].endswith("nodes.py") and seen["files"][1].endswith("__init__.py")
    assert seen["threads"] == 1 and seen["inference"]  # ComfyUI runs nodes in inference mode
    assert seen["traces"] == [False, False] and not seen["folder"] and not seen["interrupted"]
    with pytest.raises(pytest.fail.Exception, match="letters: 'a', not 'b'(?s:.*)numbers: 1, not above 0 and below 1"):
        comfy_python("leave_traces")
    assert comfy_python("both_worlds", "hello") == seen
