"""A real ComfyUI starts with the pack and offers its nodes."""

import json


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
    script = """
        import json, sys
        import comfy.model_management, nodes, supsae.supsae_core
        device = str(comfy.model_management.get_torch_device())
        print(json.dumps([device, nodes.__file__, supsae.__file__, sys.argv[1]]))
    """
    device, nodes_file, pack_file, argument = json.loads(comfy_python(script, "hello").splitlines()[-1])
    assert device == "cpu" and argument == "hello"
    assert nodes_file.endswith("nodes.py") and pack_file.endswith("__init__.py")
