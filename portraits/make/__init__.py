"""How the Portraits weights were made; not shipped to ComfyUI."""
