"""Lock: hold everything in a picture that an edit does not mean to change, and see the two pictures and the mask."""

from __future__ import annotations

from comfy_api.latest import io

from ..hosts.comfyui import messages
from ..hosts.comfyui.locked_picture import locked_picture
from ..hosts.comfyui.locking import Lock, masks_of
from ..supsae_core.lock import LockConfig
from .node import Node
from .reports import told
from .sockets import CATEGORY, SHOWN_AGAIN, LockSocket

PANEL = "supsae_locked"
"""Key of what the panels are told of every edit."""

DEFAULT = LockConfig()


class LockNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_Lock",
            display_name="Lock",
            category=CATEGORY,
            description="Draw the picture without the edit first, then with it, and hold the second to the first "
            "wherever the edit changes little. Put it between the model loader and Apply Edits or the sampler.",
            search_aliases=["supsae lock", "keep the rest", "preserve", "hold still", "mask edit"],
            inputs=[
                io.Model.Input("model", tooltip="Best straight from the loader (and LoRAs), before Apply Edits."),
                io.Float.Input(
                    "threshold", default=DEFAULT.threshold, min=0.0, max=4.0, step=0.05,
                    tooltip="How strong a change must be to be let through. 1 is where the picture's own changes part "
                    "best into strong and weak ones; higher holds more, lower lets more through.",
                ),
                io.Float.Input(
                    "floor", default=DEFAULT.floor, min=0.0, max=4.0, step=0.01,
                    tooltip="Changes weaker than this are never let through, in units of the latent.",
                ),
                io.Int.Input(
                    "grow", default=DEFAULT.grow, min=0, max=32,
                    tooltip="Let this many latent cells (8 pixels each) around every change through as well.",
                ),
                io.Mask.Input(
                    "mask", optional=True,
                    tooltip="Where the picture may change at most. Everything else is held, whatever the edit does.",
                ),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="For Apply Edits or the sampler."),
                LockSocket.Output(display_name="lock", tooltip="For Locked Picture."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, model, threshold, floor, grow, mask=None) -> io.NodeOutput:
        config = LockConfig(threshold, floor, grow)
        lock = Lock(config, masks_of(mask), messages.progress)
        return io.NodeOutput(lock.install(model), lock)


class LockedPictureNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_LockedPicture",
            display_name="Locked Picture",
            category=CATEGORY,
            description="Decode what was sampled under a Lock, with the unedited picture's own pixels where the lock "
            "held, and show that picture and the mask, and how much of the picture each edit may change.",
            search_aliases=["supsae lock", "composite", "before and after"],
            **SHOWN_AGAIN,
            inputs=[
                io.Latent.Input("latent", tooltip="The sampler's own, unchanged."),
                io.Vae.Input("vae", tooltip="As for VAE Decode."),
                LockSocket.Input("lock", tooltip="From the Lock in front of the sampler."),
                io.Int.Input(
                    "reach", default=2, min=0, max=32,
                    tooltip="Decoding mixes neighbours: take the edited picture this many latent cells (8 pixels each) "
                    "around the mask as well.",
                ),
                io.Boolean.Input(
                    "soft", default=True, tooltip="Fade from one picture to the other within that reach."
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="Edited in the mask, outside it the reference's pixels."),
                io.Image.Output(display_name="reference", tooltip="The picture without the edit."),
                io.Mask.Output(display_name="mask", tooltip="Where the edit was let through."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, latent, vae, lock, reach, soft) -> io.NodeOutput:
        made = locked_picture(latent, vae, lock, reach=reach, soft=soft, progress=messages.progress())
        return io.NodeOutput(made.image, made.reference, made.mask, ui={**told(made.report), PANEL: [made.told]})


NODES = [LockNode, LockedPictureNode]
