"""Change what the next script must not find changed; with an argument, end the process as a crash would."""

import os
import sys

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
if sys.argv[1:]:
    os._exit(3)
