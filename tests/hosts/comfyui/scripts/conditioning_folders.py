"""Where dictionaries lie."""

import folder_paths
from script_parts import tell

from supsae.hosts.comfyui import folders

seen = {}
folder_paths.add_model_folder_path("supsae", "/extra/supsae")  # what extra_model_paths.yaml does
folders.register_folders()
folders.register_folders()
paths, endings = folder_paths.folder_names_and_paths["supsae"]
seen["paths"], seen["endings"] = paths, sorted(endings)
seen["new"] = str(folders.new_dictionary_file("mine.safetensors", lambda there: True))
seen["listed"] = [
    any(str(folders.WEIGHTS) in path for path in folder_paths.get_folder_paths(kind))
    for kind in ("diffusion_models", "vae", "supsae")
]
tell(seen)
