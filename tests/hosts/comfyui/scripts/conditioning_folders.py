"""Folders of extra_model_paths.yaml come first, and the pack's own weights are listed."""

from pathlib import Path

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
hidden = Path(folder_paths.get_temp_directory()) / "dictionaries"
hidden.mkdir(parents=True)
for name in ("._portraits.safetensors", "Mine.safetensors"):
    (hidden / name).write_bytes(b"")
folder_paths.add_model_folder_path("supsae", str(hidden))
expect("offered", folders.dictionary_names(), ["portraits.safetensors", "Mine.safetensors"])
for name, wanted in (("Portraits", "Portraits_2"), ("mine", "mine_2"), ("other", "other")):
    made = folders.new_dictionary_file(name, lambda there: True)  # nothing else is hidden, though it may be replaced
    expect(name, made.name, f"{wanted}.safetensors")
for name, why in (("nul", "for a device"), ("COM1.x", "for a device"), ("髪" * 80, "240 bytes"), ("a/b", "no folders")):
    try:
        folders.file_name(name, "it")
        expect(name, "accepted", "refused")
    except ValueError as error:
        expect(name, why in str(error), True)
for kind in ("diffusion_models", "vae", "supsae"):
    expect(kind, any(str(folders.WEIGHTS) in path for path in folder_paths.get_folder_paths(kind)))
