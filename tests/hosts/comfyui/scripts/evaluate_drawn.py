"""What the renderer draws, holds and is called: `python … DICTIONARY FOLDER TEXTS SEEDS EDITED`."""

import json
import sys
from pathlib import Path

import comfy.sd
import numpy as np
from evaluate_parts import clip, model, vae
from script_parts import portraits_model, portraits_vae_tensors, tell

from supsae.hosts import locked
from supsae.hosts.comfyui.studio import Models, comfy_renderer
from supsae.hosts.comfyui.text import ComfyText
from supsae.supsae_core.lock import LockConfig

seen = {}
folder, texts, seeds, edited = Path(sys.argv[2]), *map(json.loads, sys.argv[3:])
renderer = comfy_renderer(Models(model, clip, vae))
conds, pooled = ComfyText(clip).encode(texts)
plain = renderer.draw(conds, pooled, seeds)
references = locked.reference(renderer.draw, conds, pooled, seeds)
others = [[some[i] for i in edited] for some in (conds, pooled)]
held = locked.hold(renderer.draw, *others, references, LockConfig())
everywhere = locked.hold(renderer.draw, *others, references, LockConfig(threshold=0.0, floor=0.0))
seen["recording changes nothing"] = bool((references.pictures == plain).all())
seen["let through"] = float(everywhere.masks[0].float().mean())
np.savez(folder / "drawn.npz", plain=plain, held=held.pictures, everywhere=everywhere.pictures)
told = []
telling = comfy_renderer(Models(model, clip, vae), lambda denoised: told.append(list(denoised.shape)))
telling.draw(conds[:1], pooled[:1], [1])
seen["told"] = told

tensors = portraits_vae_tensors()
tensors["taesd_decoder.1.bias"] = tensors["taesd_decoder.1.bias"] + 1e-2
retrained = comfy.sd.VAE(sd=tensors)
named = [Models(model, clip, vae), Models(portraits_model(), clip, vae), Models(model, clip, retrained)]
seen["name"] = [comfy_renderer(some).name for some in named]
tell(seen)
