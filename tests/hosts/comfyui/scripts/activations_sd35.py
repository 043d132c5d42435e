"""Activations of SD3.5's layouts and block shapes: `python … FOLDER`."""

import sys

import sd3_text
import sd35_shapes
from script_parts import tell

from supsae.hosts.comfyui.recording import ComfyPictures
from supsae.hosts.comfyui.text import ComfyText
from supsae.supsae_core.capture.activations import load_activations
from supsae.supsae_core.encoders.sites import parse_sites
from supsae.supsae_core.table.parsing import parse_table
from supsae.training import recording
from supsae.training.capture import CaptureConfig
from supsae.training.recording import SamplingConfig

seen = {}
text = "hair: [blond hair, red hair]\nhat: [no hat, a golden crown]\nplace: [sandy beach, deep forest]"
table = parse_table(text)
host = ComfyText(sd3_text.clip())
model = sd35_shapes.build(2, 128, True)
pictures = ComfyPictures(model, host)
how = SamplingConfig(parse_sites("txt@0-1, img@1-2"), 2, 3.0, 64, 96, "attention", 2)
plan = recording.plan_activations(table, host, pictures, CaptureConfig(10, 4), how, host.wording)
made = recording.capture_activations(host, pictures, sys.argv[1], plan)
found = load_activations(made)
sums = {name: found.sums(name) for name in plan.sampling.parts(plan.family)}
seen["missing"] = found.missing
seen["phrases"] = {name: [float(one.count[:, :6].sum()) for one in some] for name, some in sums.items()}
seen["mentions"] = sum(len(entry.prompt.mentions) for entry in plan.entries if entry.set == "fit")
seen["lengths"] = {name: some[0].lengths[:6].tolist() for name, some in sums.items()}
seen["finite"] = all(bool(one.square.isfinite().all()) for some in sums.values() for one in some)
seen["rows"] = [list(found.rows(10, site).shape) for site in parse_sites("txt@1, img@2")]

tell(seen)
