"""A real ComfyUI starts with the pack and offers its nodes; scripts run in its interpreter."""

import pytest


def test_pack_loads_in_a_server(comfy_server):
    started = comfy_server.log.read_text().split("Starting server")[0]  # what ran later logs errors of its own
    imported = [line for line in started.splitlines() if "ComfyUI-SupSAE" in line]
    assert imported, "ComfyUI did not list the pack among its custom nodes"
    assert not any("FAILED" in line or "Error" in line or "Cannot import" in line for line in imported)


def test_server_offers_the_nodes(comfy_server):
    info = comfy_server.object_info()
    ours = {node: schema for node, schema in info.items() if schema["python_module"] == "custom_nodes.ComfyUI-SupSAE"}
    assert "KSampler" in info
    assert ours and all(node.startswith("SupSAE_") for node in ours)


def test_script_sees_both_worlds(comfy_python):
    seen = comfy_python("both_worlds", "hello")
    assert seen["device"] == "cpu" and seen["arguments"] == ["hello"]
    assert seen["files"][0].endswith("nodes.py") and seen["files"][1].endswith("__init__.py")
    assert seen["threads"] == 1 and seen["inference"]  # ComfyUI runs nodes in inference mode


@pytest.mark.parametrize("ends", [False, True])
def test_script_finds_no_traces_of_the_one_before(comfy_python, ends):
    seen = comfy_python("both_worlds")
    assert seen["traces"] == [False, False] and not seen["folder"] and not seen["interrupted"]
    if ends:
        with pytest.raises(pytest.fail.Exception, match="ended the process"):
            comfy_python("leave_traces", "end")
    else:
        comfy_python("leave_traces")
    assert comfy_python("both_worlds") == seen
