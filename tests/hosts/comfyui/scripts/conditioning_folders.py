"""Where dictionaries lie."""

import folder_paths
from script_parts import tell

from supsae.hosts.comfyui import comfy_host

seen = {}
folder_paths.add_model_folder_path("supsae", "/extra/supsae")  # what extra_model_paths.yaml does
comfy_host.register_folders()
comfy_host.register_folders()
paths, endings = folder_paths.folder_names_and_paths["supsae"]
seen["paths"], seen["endings"] = paths, sorted(endings)
seen["new"] = str(comfy_host.new_dictionary_file("mine.safetensors", lambda there: True))
seen["listed"] = [
    any(str(comfy_host.WEIGHTS) in path for path in folder_paths.get_folder_paths(kind))
    for kind in ("diffusion_models", "vae", "supsae")
]
tell(seen)
