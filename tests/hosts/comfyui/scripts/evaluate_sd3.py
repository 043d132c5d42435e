"""A dictionary of random SD3 encoders, judged by its text."""

import tempfile

import sd3_text
from evaluate_parts import clip, learnt, model, tiny, vae
from script_parts import error, tell

from supsae.hosts.comfyui.text import ComfyText
from supsae.nodes import evaluate
from supsae.supsae_core.table.parsing import parse_table
from supsae.training import capture, fit

seen = {}
table = parse_table("hair: [blond hair, red hair]\neyes: [green eyes, blue eyes, brown eyes]")
other = sd3_text.clip()
host = ComfyText(other)
plan = capture.plan_text(table, host, capture.CaptureConfig(prompts=24, calibration=8), host.wording)
own = fit.fit_dictionary(capture.capture_text(host, tempfile.mkdtemp(), plan))
found = evaluate.evaluate(own, other, None, None, tiny)
seen["sd3"], seen["sd3 plot"] = found.report, list(found.plot.size)
seen["foreign"] = [error(evaluate.evaluate, *one, model, vae, tiny) for one in ((own, clip), (learnt, other))]
tell(seen)
