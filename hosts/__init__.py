"""Who can encode and draw: ComfyUI, diffusers, and the embedded Portraits encoders."""
