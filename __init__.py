"""SupSAE: what ComfyUI loads from custom_nodes/, and the root of the Python package `supsae`."""

import logging

WEB_DIRECTORY = "./web"


async def comfy_entrypoint():
    """Return the extension that lists this pack's nodes; ComfyUI awaits it once at start."""
    try:
        from .nodes import SupSAEExtension

        return SupSAEExtension()
    except Exception:
        # ComfyUI itself logs one line without a traceback, and the pack is gone.
        logging.exception("SupSAE could not load its nodes")
        raise
