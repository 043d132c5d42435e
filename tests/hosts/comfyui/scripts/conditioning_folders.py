"""Folders of extra_model_paths.yaml come first, and the pack's own weights are listed."""

import folder_paths
from script_parts import expect

from supsae.hosts.comfyui import folders

folder_paths.add_model_folder_path("supsae", "/extra/supsae")  # what extra_model_paths.yaml does
folders.register_folders()
folders.register_folders()
paths, endings = folder_paths.folder_names_and_paths["supsae"]
expect("paths", [len(paths), paths[0]], [3, "/extra/supsae"])
expect("endings", endings, {".safetensors"})
expect(
    "new", str(folders.new_dictionary_file("mine.safetensors", lambda there: True)), "/extra/supsae/mine.safetensors"
)
for kind in ("diffusion_models", "vae", "supsae"):
    expect(kind, any(str(folders.WEIGHTS) in path for path in folder_paths.get_folder_paths(kind)))
