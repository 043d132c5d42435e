"""ComfyUI as a host: its CLIP, MODEL and samplers; the only room that imports comfy."""
