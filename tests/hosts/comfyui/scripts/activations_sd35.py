"""Activations of SD3.5's layouts and block shapes, random weights: 77 + 77 rows, a second attention in both blocks."""

import tempfile

import sd3_text
import sd35_shapes
from script_parts import expect

from supsae.hosts.comfyui.recording import ComfyPictures
from supsae.hosts.comfyui.text import ComfyText
from supsae.supsae_core.capture.activations import load_activations
from supsae.supsae_core.encoders.sites import parse_sites
from supsae.supsae_core.table.parsing import parse_table
from supsae.training import recording
from supsae.training.capture import CaptureConfig
from supsae.training.recording import SamplingConfig

text = "hair: [blond hair, red hair]\nhat: [no hat, a golden crown]\nplace: [sandy beach, deep forest]"
table = parse_table(text)
host = ComfyText(sd3_text.clip())
model = sd35_shapes.build(2, 128, True)
pictures = ComfyPictures(model, host)
how = SamplingConfig(parse_sites("txt@0-1, img@1-2"), 2, 3.0, 64, 96, "attention", 2)
plan = recording.plan_activations(table, host, pictures, CaptureConfig(10, 4), how, host.wording)
made = recording.capture_activations(host, pictures, tempfile.mkdtemp(), plan)
found = load_activations(made)
sums = {name: found.sums(name) for name in plan.sampling.parts(plan.family)}
expect("missing", found.missing, [])
mentions = sum(len(entry.prompt.mentions) for entry in plan.entries if entry.set == "fit")
parts = ["txt@0/clip", "txt@0/t5", "txt@1/clip", "txt@1/t5", "img@1/attention", "img@2/attention"]
phrases = {name: [float(one.count[:, :6].sum()) for one in some] for name, some in sums.items()}
expect("phrases", phrases, {name: [mentions] * 2 for name in parts})  # at both noise levels
# CLIP's tokenizer has a token for each of these words, T5's cuts some; in the picture a phrase is one mean
lengths = {name: some[0].lengths[:6].tolist() for name, some in sums.items()}
expect("lengths in CLIP", lengths["txt@0/clip"], [2, 2, 2, 3, 2, 2])
expect("lengths in T5", min(lengths["txt@0/t5"]) >= 2)
expect("lengths in the picture", lengths["img@2/attention"], [1] * 6)
expect("finite", all(bool(one.square.isfinite().all()) for some in sums.values() for one in some))
text, image = (list(found.rows(10, site).shape) for site in parse_sites("txt@1, img@2"))
expect("rows", [text, image[::2]], [[2, 154, 128], [2, 128]])
