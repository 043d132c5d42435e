"""Models and dictionaries that Evaluate Dictionary refuses, and text that it judges by itself."""

import tempfile
from dataclasses import replace
from pathlib import Path

import comfy.sd
import folder_paths
import sd3_text
import sd35_shapes
import torch
from portraits_parts import clip, learnt, model, vae
from script_parts import expect, refused

from supsae.evaluation.pictures import parts
from supsae.evaluation.pictures.run import EvalConfig
from supsae.hosts.comfyui.text import ComfyText
from supsae.nodes import evaluate, lock
from supsae.supsae_core.table.parsing import parse_table
from supsae.training import capture, fit
from supsae.training.solvers.exact import ExactConfig

parts.SIZES["tiny"] = replace(parts.SIZES["quick"], text=4)
tiny = EvalConfig("tiny", 7)
lora = model.clone()
lora.add_patches({"diffusion_model.x_embedder.proj.weight": (torch.ones(1),)})
pixels = comfy.sd.VAE(sd={"pixel_space_vae": torch.tensor(1.0)})
locking = lock.LockNode.execute(model, 0.5, 0.1, 1)[0]
wide = "reads prompts 4096 numbers wide, Portraits' text encoders write 192"
refused("The VAE is missing. Connect both, or none", evaluate.evaluate, learnt, clip, model, None, tiny)
refused("The model is missing. Connect both, or none", evaluate.evaluate, learnt, clip, None, vae, tiny)
refused(wide, evaluate.evaluate, learnt, clip, sd35_shapes.build(1, 64, False), vae, tiny)
refused("This VAE is not Portraits'", evaluate.evaluate, learnt, clip, model, pixels, tiny)
refused("comes from a node that changes it", evaluate.evaluate, learnt, clip, lora, vae, tiny)
refused("comes from a node that changes it", evaluate.evaluate, learnt, clip, locking, vae, tiny)

# a dictionary of random SD3 encoders
table = parse_table("hair: [blond hair, red hair]\neyes: [green eyes, blue eyes, brown eyes]")
other = sd3_text.clip()
host = ComfyText(other)
plan = capture.plan_text(table, host, capture.CaptureConfig(prompts=24, calibration=8, rewrites=0), host.wording)
QUICK = ExactConfig(rank=8, common_ridges=(10.0,), shared_ridges=(3.0,), own_ridges=(30.0,))
own = fit.fit_dictionary(capture.capture_text(host, tempfile.mkdtemp(), plan), config=QUICK)
refused("is for the format 'sd3', not for 'portraits'", evaluate.evaluate, own, clip, model, vae, tiny)
refused("is for the format 'portraits', not for 'sd3'", evaluate.evaluate, learnt, other, model, vae, tiny)
expect("written", list(Path(folder_paths.get_output_directory()).rglob("*")), [])
found = evaluate.evaluate(learnt, clip, None, None, tiny)
expect("report of text alone", found.report.startswith("No picture was drawn: connect model and vae"))
found = evaluate.evaluate(own, other, None, None, tiny)
start = "No picture was drawn: only of Portraits' pictures is it known what they show."
expect("report of SD3", found.report[: len(start)], start)
expect("cases of SD3", "4 swaps into pairs of concepts that fitting saw together" in found.report)
expect("files of SD3", "results.json" in found.report and min(found.plot.size) > 100)
