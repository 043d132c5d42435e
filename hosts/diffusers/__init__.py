"""diffusers and transformers as hosts; the only room that imports them."""
