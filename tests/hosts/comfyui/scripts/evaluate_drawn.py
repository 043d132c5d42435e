"""What the renderer draws, holds and is called: `python … FOLDER TEXTS SEEDS EDITED`."""

import json
import sys
from pathlib import Path

import comfy.sd
import numpy as np
from portraits_parts import clip, load_model, model, vae, vae_tensors
from script_parts import expect

from supsae.hosts import locked
from supsae.hosts.comfyui.studio import Models, comfy_renderer
from supsae.hosts.comfyui.text import ComfyText
from supsae.supsae_core.lock import LockConfig

folder, texts, seeds, edited = Path(sys.argv[1]), *map(json.loads, sys.argv[2:])
told = []
renderer = comfy_renderer(Models(model, clip, vae), lambda denoised: told.append(list(denoised.shape)))
conds, pooled = ComfyText(clip).encode(texts)
plain = renderer.draw(conds, pooled, seeds)
expect("the steps are shown", {*map(tuple, told)} <= {(n, 16, 16, 16) for n in (1, 2, 3, 4)} and len(told) % 16 == 0)
references = locked.reference(renderer.draw, conds, pooled, seeds)
others = [[some[i] for i in edited] for some in (conds, pooled)]
held = locked.hold(renderer.draw, *others, references, LockConfig())
everywhere = locked.hold(renderer.draw, *others, references, LockConfig(threshold=0.0, floor=0.0))
expect("recording changes nothing", bool((references.pictures == plain).all()))
expect("let through", float(everywhere.masks[0].float().mean()), 1)
np.savez(folder / "drawn.npz", plain=plain, held=held.pictures, everywhere=everywhere.pictures)

tensors = vae_tensors()
tensors["taesd_decoder.1.bias"] = tensors["taesd_decoder.1.bias"] + 1e-2
named = [Models(model, clip, vae), Models(load_model(), clip, vae), Models(model, clip, comfy.sd.VAE(sd=tensors))]
name, same, other = [comfy_renderer(some).name for some in named]
expect("the renderer is named by its weights", name == same != other)
