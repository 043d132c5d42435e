"""Pictures of numbers and sheets of pictures, with Pillow alone: ComfyUI ships no plotting library."""
