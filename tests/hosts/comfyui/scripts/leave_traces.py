"""Change what the next script must not find changed; expect what is not so."""

import comfy.model_management
import folder_paths
import script_parts
import torch

import supsae

supsae.trace = script_parts.trace = True
torch.set_grad_enabled(False)
torch.set_num_threads(2)
torch.rand(1)
folder_paths.add_model_folder_path("traces", "/nowhere")
comfy.model_management.interrupt_current_processing()
script_parts.expect("letters", "a", "b")
script_parts.between("numbers", 0, 1, 1)
