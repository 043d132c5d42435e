"""What a script begins with: both worlds, its arguments, and no traces of the script before."""

import sys

import comfy.model_management
import folder_paths
import script_parts
import torch

import nodes
import supsae.supsae_core

script_parts.tell(
    {
        "device": str(comfy.model_management.get_torch_device()),
        "files": [nodes.__file__, supsae.__file__],
        "arguments": sys.argv[1:],
        "traces": [hasattr(one, "trace") for one in (supsae, script_parts)],
        "folder": "traces" in folder_paths.folder_names_and_paths,
        "interrupted": comfy.model_management.processing_interrupted(),
        "threads": torch.get_num_threads(),
        "inference": torch.is_inference_mode_enabled(),
        "drawn": float(torch.rand(1)),
    }
)
